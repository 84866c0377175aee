import { Suspense, useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { Link } from "wouter";
import { Area } from "@/shared/Area";
import { chunk } from "@/shared/chunk";
import { Icon } from "@/shared/Icon";
import { useTitle } from "@/shared/useTitle";
import { labelOf, text } from "@/text";
import { messageOf } from "@/text/messages";
import { compareAddress, photoAddress, PHOTOS } from "../workspace/addresses";
import { neighbours } from "../workspace/arrange";
import { percent } from "../workspace/confidence";
import { useWorkspace } from "../workspace/context";
import { answersOf } from "../workspace/people";
import type { Photo } from "../workspace/session";
import { AnswerPanel } from "./AnswerPanel";
import { BoxedPhoto } from "./BoxedPhoto";
import { Filmstrip } from "./Filmstrip";
import styles from "./PhotoView.module.css";
import { canExplain, useHeatMap } from "./useHeatMap";
import { useLook } from "./useLook";

const [HeatMap] = chunk(() => import("./HeatMap"));
const [Why, loadWhy] = chunk(() => import("./Why"));
export { loadWhy };

interface Props {
  photo: Photo;
  /** Removes it, and shows another one. */
  onRemove: (next: Photo | undefined) => void;
  /** Reloads the page so that nothing is lost. */
  onReload: () => void;
}

/** One photo and its answer. */
export function PhotoView({ photo, onRemove, onReload }: Props) {
  const { session, photos, arrangement, chooseFiles, openCamera } = useWorkspace();
  const { previous, next, place, count } = neighbours(photos, arrangement, photo.id);
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus({ preventScroll: true }), [photo.id]);
  useTitle(text.titles.of(`${verdict(photo)} · ${photo.name}`));
  const [look, lookAt] = useLook(photo.id);
  // Another answer may be about fewer people.
  const chosen = look.person < answersOf(photo.outcome).length ? look.person : 0;
  const choosing = { chosen, onChoose: (person: number) => lookAt({ person }) };
  const [askedNow, setAskedNow] = useState<number | null>(null);
  const [strength, setStrength] = useState(0.7);
  const why = useHeatMap(photo, look.why);
  const whyButton = useRef<HTMLButtonElement>(null);
  const askWhy = () => {
    lookAt({ why: true });
    setAskedNow(photo.id);
  };
  const closeWhy = () => {
    flushSync(() => lookAt({ why: false }));
    whyButton.current?.focus(); // it has come back
  };
  const asked = look.why && canExplain(photo);
  const words = text.photo;
  const many = photos.length > 1;
  const other = next ?? previous ?? photos.find(({ id }) => id !== photo.id);
  return (
    <div className={styles["view"]} data-several={answersOf(photo.outcome).length > 0 || undefined}>
      <div className={styles["top"]}>
        <div className={styles["name"]}>
          <h1 ref={title} tabIndex={-1}>
            {photo.name}
          </h1>
          {many && <span>{words.position(place, count)}</span>}
        </div>
        <div className={styles["ways"]} data-screen>
          <button type="button" className="button round plain" aria-label={words.remove} title={words.remove} onClick={() => onRemove(next ?? previous)}>
            <Icon name="trash" />
          </button>
          <button type="button" className={`button round plain ${styles["print"] ?? ""}`} aria-label={text.report.print} title={text.report.print} onClick={() => print()}>
            <Icon name="print" />
          </button>
          <button type="button" className="button round plain" aria-label={words.camera} title={words.camera} onClick={openCamera}>
            <Icon name="camera" />
          </button>
          {many ? (
            <>
              <Step to={previous} icon="back" name={words.previous} />
              <Step to={next} icon="next" name={words.next} />
              {other && (
                <Link className="button compact" href={compareAddress(photo.id, other.id)}>
                  <Icon name="compare" /> <span>{text.compare.open}</span>
                </Link>
              )}
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
        whyButton={whyButton}
        onWhy={canExplain(photo) && !asked ? askWhy : null}
        {...choosing}
      />
      <BoxedPhoto key={`photo ${photo.id}`} photo={photo} {...choosing}>
        {asked && why.map && (
          <Suspense>
            <HeatMap map={why.map} strength={strength} />
          </Suspense>
        )}
      </BoxedPhoto>
      {asked && (
        <div className={styles["why"]}>
          <Area of={`${photo.id}`} level={2} onReload={onReload}>
            <Suspense fallback={<p className={styles["loading"]}>{text.loading}</p>}>
              <Why key={photo.id} state={why} asked={askedNow === photo.id} strength={strength} onStrength={setStrength} onClose={closeWhy} />
            </Suspense>
          </Area>
        </div>
      )}
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
  return answer?.prediction ? `${labelOf(answer.prediction)} ${percent(answer.confidence)}` : messageOf(code).short;
}
