import { useState } from "react";
import { Icon } from "@/shared/Icon";
import { useObjectUrl } from "@/shared/useObjectUrl";
import { text } from "@/text";
import type { Photo } from "../workspace/session";
import styles from "./BoxedPhoto.module.css";

/** The photo with a frame around each person, numbered if there are several. Frames are relative to the upright photo, as browsers show it. */
export function BoxedPhoto({ photo: { file, upload, outcome } }: { photo: Photo }) {
  // A browser that cannot show the file itself may show what was made of it.
  const [tried, setTried] = useState<"file" | "upload" | "neither">("file");
  const shown = tried === "file" ? file : tried === "upload" ? upload : null;
  const url = useObjectUrl(shown);
  const people = outcome?.answer?.people ?? [];
  if (!file || tried === "neither") {
    return (
      <div className={styles["stage"]}>
        <div className={styles["unshowable"]}>
          <Icon name="photo" />
          <p>{file ? text.photo.unshowable : text.photo.notKept}</p>
        </div>
      </div>
    );
  }
  const failed = () => setTried(tried === "file" && upload && upload !== file ? "upload" : "neither");
  return (
    <div className={styles["stage"]}>
      <div className={styles["frame"]} data-busy={outcome === null || undefined}>
        {url && <img src={url} alt={file.name || text.photo.pasted} onError={failed} />}
        {people.length > 0 && (
          <svg viewBox="0 0 1 1" preserveAspectRatio="none" role="img" aria-label={text.photo.frames(people.length)}>
            {people.map(({ box: [x0, y0, x1, y1] }, index) => (
              <g key={index}>
                <rect className={styles["halo"]} x={x0} y={y0} width={x1 - x0} height={y1 - y0} />
                <rect className={styles["box"]} x={x0} y={y0} width={x1 - x0} height={y1 - y0} data-testid="box" />
              </g>
            ))}
          </svg>
        )}
        {people.length > 1 &&
          people.map(({ box: [x0, y0] }, index) => (
            <span key={index} className={styles["number"]} style={{ left: `${100 * x0}%`, top: `${100 * y0}%` }} aria-hidden="true">
              {index + 1}
            </span>
          ))}
      </div>
    </div>
  );
}
