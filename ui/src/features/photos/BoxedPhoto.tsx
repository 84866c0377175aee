import { useState } from "react";
import type { Person } from "../../api/types";
import { Icon } from "../../shared/Icon";
import { useObjectUrl } from "../../shared/useObjectUrl";
import styles from "./BoxedPhoto.module.css";

/** The photo with a box around each detected person. Browsers show photos upright, and boxes are relative to the upright photo. */
export function BoxedPhoto({ file, people, busy }: { file: File; people: readonly Person[]; busy: boolean }) {
  const url = useObjectUrl(file);
  const [unshowable, setUnshowable] = useState(false);
  if (unshowable) {
    return (
      <div className={styles["unshowable"]}>
        <Icon name="photo" />
        <p>Your browser cannot show this file.</p>
      </div>
    );
  }
  return (
    <div className={styles["frame"]} data-busy={busy || undefined}>
      {url && <img src={url} alt={file.name || "What was pasted"} onError={() => setUnshowable(true)} />}
      {people.length > 0 && (
        <svg viewBox="0 0 1 1" preserveAspectRatio="none" role="img" aria-label={caption(people.length)}>
        {people.map(({ box: [x0, y0, x1, y1] }, index) => (
          <g key={index}>
            <rect className={styles["halo"]} x={x0} y={y0} width={x1 - x0} height={y1 - y0} />
            <rect className={styles["box"]} x={x0} y={y0} width={x1 - x0} height={y1 - y0} data-testid="box" />
          </g>
        ))}
        </svg>
      )}
    </div>
  );
}

const caption = (count: number) => (count === 1 ? "A frame around the person found" : `Frames around the ${count} people found`);
