import licence from "libheif-js/libheif/LICENSE?url";
import { useState, type ReactNode } from "react";
import type { Person } from "@/api/types";
import { Icon } from "@/shared/Icon";
import { useObjectUrl } from "@/shared/useObjectUrl";
import { text } from "@/text";
import { answersOf, lineOf } from "../workspace/people";
import type { Photo } from "../workspace/session";
import styles from "./BoxedPhoto.module.css";
import type { Choice } from "./PeopleAnswers";

interface Props {
  photo: Photo;
  /** Of several people, which is chosen, and how another one is; null where nobody can be. */
  chosen: number;
  onChoose: Choice["onChoose"] | null;
  /** Drawn over the photo, below the frames. */
  children?: ReactNode;
}

/**
 * The photo with a frame around each person, numbered if there are several; those with an answer of their own can be chosen.
 * Frames are relative to the upright photo, as browsers show it.
 */
export function BoxedPhoto({ photo: { file, upload, preview, thumbnail, outcome }, chosen, onChoose, children }: Props) {
  // A browser that cannot show the file itself may show what was made of it.
  const [unshowable, setUnshowable] = useState<readonly Blob[]>([]);
  const coming = preview === "coming";
  const shown = [file, upload, coming ? null : preview, thumbnail].find((each) => each && !unshowable.includes(each)) ?? null;
  const url = useObjectUrl(shown);
  const people = outcome?.answer?.people ?? [];
  const answers = answersOf(outcome);
  const buttons = onChoose ? answers.length : 0;
  if (!file || !shown) {
    return (
      <div className={styles["stage"]}>
        <div className={styles["unshowable"]}>
          <Icon name="photo" />
          <p>{!file ? text.photo.notKept : coming ? text.photo.previewComing : text.photo.unshowable}</p>
        </div>
      </div>
    );
  }
  const failed = () => setUnshowable([...unshowable, shown]);
  return (
    <div className={styles["stage"]}>
      <div className={styles["frame"]} data-busy={outcome === null || undefined}>
        {url && <img src={url} alt={file.name || text.photo.pasted} onError={failed} />}
        {children}
        {people.length > 0 && (
          <svg viewBox="0 0 1 1" preserveAspectRatio="none" role="img" aria-label={text.photo.frames(people.length)}>
            {people.map(({ box: [x0, y0, x1, y1] }, index) => (
              <g
                key={index}
                data-chosen={(index === chosen && answers.length > 0) || undefined}
                data-left={(answers.length > 0 && index >= answers.length) || undefined}
              >
                <rect className={styles["halo"]} x={x0} y={y0} width={x1 - x0} height={y1 - y0} />
                <rect className={styles["box"]} x={x0} y={y0} width={x1 - x0} height={y1 - y0} data-testid="box" />
              </g>
            ))}
          </svg>
        )}
        {answers.length > 0 && onChoose && (
          <div role="group" aria-label={text.people.frames}>
            {answers.map((person, index) => (
              <button
                key={index}
                type="button"
                className={styles["choose"]}
                style={area(person)}
                aria-label={lineOf(person, index + 1)}
                aria-pressed={index === chosen}
                onClick={() => onChoose(index)}
              >
                <span className={styles["number"]}>{index + 1}</span>
              </button>
            ))}
          </div>
        )}
        {people.length > 1 &&
          people.slice(buttons).map(({ box: [x0, y0] }, index) => (
            <span key={index} className={styles["number"]} style={{ left: `${100 * x0}%`, top: `${100 * y0}%` }} aria-hidden="true">
              {buttons + index + 1}
            </span>
          ))}
      </div>
      {shown === preview && (
        <p className={styles["decoded"]}>
          {text.photo.decodedBy} <a href={licence}>libheif (LGPL)</a>
        </p>
      )}
    </div>
  );
}

/** Where a person is, in shares of the photo. */
function area({ box: [x0, y0, x1, y1] }: Person) {
  return { left: `${100 * x0}%`, top: `${100 * y0}%`, width: `${100 * (x1 - x0)}%`, height: `${100 * (y1 - y0)}%` };
}
