import { Link } from "wouter";
import { MAX_IMAGE_BYTES } from "@/api/limits";
import { Icon } from "@/shared/Icon";
import { useTitle } from "@/shared/useTitle";
import { text } from "@/text";
import { FORMATS } from "@/text/messages";
import { photoAddress, PHOTOS } from "../workspace/addresses";
import { useWorkspace } from "../workspace/context";
import { Thumbnail } from "../workspace/Thumbnail";
import { Samples } from "./Samples";
import styles from "./Start.module.css";

const PREVIEWS = 5;

/** The start: what this is, and the ways to give it a photo. */
export function Start() {
  const { chooseFiles, chooseFolder, openCamera } = useWorkspace();
  const words = text.start;
  useTitle(text.titles.start);
  return (
    <section className={styles["start"]}>
      <div className={styles["words"]}>
        <h1>{words.title}</h1>
        <p>{words.lead}</p>
        <Samples />
        <Earlier />
      </div>
      <div className={styles["drop"]}>
        <button type="button" className={styles["target"]} onClick={chooseFiles}>
          <span className={styles["picture"]} aria-hidden="true">
            <Icon name="photo" />
          </span>
          <strong className={styles["withMouse"]}>{words.choose}</strong>
          <strong className={styles["withFinger"]}>{words.chooseByTouch}</strong>
          <span className={styles["more"]}>
            {words.many} <span className={styles["withMouse"]}>{words.paste}</span>
          </span>
        </button>
        <div className={styles["ways"]}>
          <button type="button" className="button" onClick={openCamera}>
            <Icon name="camera" /> {words.camera}
          </button>
          <button type="button" className={`button ${styles["withMouse"] ?? ""}`} onClick={chooseFolder}>
            <Icon name="folder" /> {words.folder}
          </button>
        </div>
        <p>{words.formats(FORMATS, MAX_IMAGE_BYTES / 2 ** 20)}</p>
      </div>
    </section>
  );
}

/** The way back to the photos that are here. */
function Earlier() {
  const { photos } = useWorkspace();
  const [first] = photos;
  if (!first) return null;
  const previews = photos.filter(({ thumbnail }) => thumbnail).slice(-PREVIEWS);
  const { earlier, earlierAnswers } = text.start;
  const say = photos.some(({ file }) => file) ? earlier : earlierAnswers;
  return (
    <Link className={styles["earlier"]} href={photos.length === 1 ? photoAddress(first.id) : PHOTOS}>
      <span className={styles["previews"]} aria-hidden="true" hidden={previews.length === 0}>
        {previews.map((photo) => (
          <Thumbnail key={photo.id} photo={photo} />
        ))}
      </span>
      {say(photos.length)}
      <Icon name="next" />
    </Link>
  );
}
