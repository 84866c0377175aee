import { MAX_IMAGE_BYTES } from "../../api/limits";
import { Icon } from "../../shared/Icon";
import styles from "./Start.module.css";

interface Props {
  onChoose: () => void;
  onCamera: () => void;
}

/** The page before a photo is chosen. */
export function Start({ onChoose, onCamera }: Props) {
  return (
    <section className={styles["start"]}>
      <div className={styles["words"]}>
        <h1>What does a model see in a photo?</h1>
        <p>
          Show it a photo of one person. It says which gender presentation it sees, where it looked, and how sure it is, or exactly why it
          will not say.
        </p>
      </div>
      <div className={styles["drop"]}>
        <button type="button" className={styles["target"]} onClick={onChoose}>
          <span className={styles["picture"]} aria-hidden="true">
            <Icon name="photo" />
          </span>
          <strong>Drop photos here, or click to choose</strong>
          <span>One, or as many as you like. You can also paste with Ctrl+V.</span>
        </button>
        <button type="button" className="button" onClick={onCamera}>
          <Icon name="camera" /> Use the camera
        </button>
        <p>
          JPEG, HEIC, AVIF, PNG, WebP, GIF, BMP or TIFF. Large photos are made smaller before they are sent; what your browser cannot open is sent as it
          is, up to {MAX_IMAGE_BYTES / 2 ** 20} MiB.
        </p>
      </div>
    </section>
  );
}
