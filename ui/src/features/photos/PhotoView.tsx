import { useEffect, useRef, type ReactNode } from "react";
import { AnswerPanel } from "./AnswerPanel";
import { BoxedPhoto } from "./BoxedPhoto";
import styles from "./PhotoView.module.css";
import type { Photo, PhotoSession } from "./session";

/** One photo beside its answer. `children` are the next actions. */
export function PhotoView({ photo, session, children }: { photo: Photo; session: PhotoSession; children: ReactNode }) {
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus({ preventScroll: false }), [photo.id]);
  return (
    <div className={styles["view"]}>
      <div className={styles["top"]}>
        <h1 ref={title} tabIndex={-1}>
          {photo.name}
        </h1>
        <div className={styles["ways"]}>{children}</div>
      </div>
      <BoxedPhoto key={photo.id} file={photo.file} people={photo.outcome?.answer?.people ?? []} busy={photo.outcome === null} />
      <AnswerPanel photo={photo} onRetry={() => session.retry([photo.id])} onCancel={() => session.cancel(photo.id)} />
    </div>
  );
}
