import { useEffect, useRef, useState } from "react";
import { Link } from "wouter";
import { Icon } from "@/shared/Icon";
import { useTitle } from "@/shared/useTitle";
import { text } from "@/text";
import { messageOf } from "@/text/messages";
import { photoAddress, PHOTOS } from "../workspace/addresses";
import { neighbours } from "../workspace/arrange";
import { percent } from "../workspace/confidence";
import { useWorkspace } from "../workspace/context";
import { answersOf } from "../workspace/people";
import type { Photo } from "../workspace/session";
import { AnswerPanel } from "./AnswerPanel";
import { BoxedPhoto } from "./BoxedPhoto";
import { Filmstrip } from "./Filmstrip";
import styles from "./PhotoView.module.css";

interface Props {
  photo: Photo;
  /** Removes it, and shows another one. */
  onRemove: (next: Photo | undefined) => void;
}

/** One photo and its answer. */
export function PhotoView({ photo, onRemove }: Props) {
  const { session, photos, arrangement, chooseFiles, openCamera } = useWorkspace();
  const { previous, next, place, count } = neighbours(photos, arrangement, photo.id);
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus({ preventScroll: true }), [photo.id]);
  useTitle(text.titles.of(`${verdict(photo)} · ${photo.name}`));
  // Of several people; the largest, until another one is chosen.
  const [choice, choose] = useState({ photo: photo.id, person: 0 });
  const chosen = choice.photo === photo.id ? choice.person : 0;
  const choosing = { chosen, onChoose: (person: number) => choose({ photo: photo.id, person }) };
  const words = text.photo;
  const many = photos.length > 1;
  return (
    <div className={styles["view"]} data-several={answersOf(photo.outcome).length > 0 || undefined}>
      <div className={styles["top"]}>
        <div className={styles["name"]}>
          <h1 ref={title} tabIndex={-1}>
            {photo.name}
          </h1>
          {many && <span>{words.position(place, count)}</span>}
        </div>
        <div className={styles["ways"]}>
          <button type="button" className="button round plain" aria-label={words.remove} title={words.remove} onClick={() => onRemove(next ?? previous)}>
            <Icon name="trash" />
          </button>
          <button type="button" className="button compact" onClick={openCamera}>
            <Icon name="camera" /> <span>{words.camera}</span>
          </button>
          {many ? (
            <>
              <Step to={previous} icon="back" name={words.previous} />
              <Step to={next} icon="next" name={words.next} />
              <button type="button" className="button compact" onClick={chooseFiles}>
                <Icon name="add" /> <span>{words.add}</span>
              </button>
              <Link className="button primary compact" href={PHOTOS}>
                <Icon name="grid" /> <span>{words.all}</span>
              </Link>
            </>
          ) : (
            <button type="button" className="button primary" onClick={chooseFiles}>
              <Icon name="photo" /> {words.another}
            </button>
          )}
        </div>
      </div>
      <AnswerPanel
        key={photo.id}
        photo={photo}
        onRetry={() => session.retry([photo.id])}
        onCancel={() => session.cancel(photo.id)}
        {...choosing}
      />
      <BoxedPhoto key={`photo ${photo.id}`} photo={photo} {...choosing} />
      {many && <Filmstrip photos={photos} arrangement={arrangement} shown={photo} />}
    </div>
  );
}

function Step({ to, icon, name }: { to: Photo | undefined; icon: "back" | "next"; name: string }) {
  if (!to) {
    return (
      <span className="button round" aria-hidden="true" data-disabled>
        <Icon name={icon} />
      </span>
    );
  }
  return (
    <Link className="button round" href={photoAddress(to.id)} aria-label={name} title={name}>
      <Icon name={icon} />
    </Link>
  );
}

/** For the title of the tab. */
function verdict({ outcome }: Photo): string {
  if (!outcome) return text.titles.working;
  const { answer, code } = outcome;
  if (answer && answersOf(outcome).length > 0) return text.people.count(answer.people.length);
  return answer?.prediction ? `${answer.prediction} ${percent(answer.confidence)}` : messageOf(code).short;
}
