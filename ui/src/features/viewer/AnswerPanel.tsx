import { useEffect, useRef, type ReactNode, type RefObject } from "react";
import { Icon } from "@/shared/Icon";
import { useCountdown } from "@/shared/useCountdown";
import { labelOf, text } from "@/text";
import { messageOf } from "@/text/messages";
import { classifierOf } from "../workspace/measured";
import type { Outcome } from "../workspace/outcome";
import { answersOf, tally } from "../workspace/people";
import type { Photo } from "../workspace/session";
import styles from "./AnswerPanel.module.css";
import { CopyPicture } from "./CopyPicture";
import { Details } from "./Details";
import { PeopleAnswers, type Choice } from "./PeopleAnswers";
import { Probabilities } from "./Probabilities";
import { Program } from "./Program";
import { Sureness } from "./Sureness";

interface Props extends Choice {
  photo: Photo;
  onRetry: () => void;
  onCancel: () => void;
  /** Asks why the answer is as it is; null where that cannot be told, or is being told. */
  onWhy: (() => void) | null;
  whyButton: RefObject<HTMLButtonElement | null>;
}

const words = text.answer;

/** The answer about one photo, or its progress. */
export function AnswerPanel({ photo, onRetry, onCancel, onWhy, whyButton, ...choice }: Props) {
  const { outcome } = photo;
  const heading = useRef<HTMLHeadingElement>(null);
  const pressed = useRef(false);
  useEffect(() => {
    // The button that was pressed disappears; the heading stays, and says what follows.
    if (pressed.current) heading.current?.focus({ preventScroll: true });
    pressed.current = false;
  }, [photo.phase]);
  const press = (act: () => void) => () => {
    pressed.current = true;
    act();
  };
  const { eyebrow, title, large } = headline(photo);
  return (
    <section className={styles["panel"]} aria-label={words.label} aria-busy={outcome === null || undefined}>
      <p className={styles["eyebrow"]}>{eyebrow}</p>
      <h2 ref={heading} tabIndex={-1} className={large ? `${styles["prediction"]} ${outcome && answersOf(outcome).length > 0 ? styles["several"] : ""}` : styles["problem"]}>
        {title}
      </h2>
      {outcome ? <Body outcome={outcome} {...choice} /> : <Progress photo={photo} />}
      {outcome === null ? (
        <button type="button" className="button" onClick={press(onCancel)}>
          <Icon name="close" /> {text.work.cancel}
        </button>
      ) : (
        photo.file &&
        messageOf(outcome.code).retry && (
          <button type="button" className="button primary" data-screen onClick={press(onRetry)}>
            <Icon name="retry" /> {words.retry}
          </button>
        )
      )}
      {onWhy && (
        <button ref={whyButton} type="button" className="button" data-screen onClick={onWhy}>
          <Icon name="question" /> {text.why.ask}
        </button>
      )}
      <CopyPicture photo={photo} />
      {outcome && <Details outcome={outcome} />}
      {outcome?.answer && <Program name={photo.name} />}
    </section>
  );
}

/** What is said first about a photo. */
export function headline({ phase, outcome }: Photo): { eyebrow: string; title: ReactNode; large: boolean } {
  const prediction = outcome?.answer?.prediction;
  if (prediction) return { eyebrow: words.eyebrow, title: <Large word={labelOf(prediction)} below={words.presentation} />, large: true };
  const several = outcome && answersOf(outcome).length > 0;
  if (several) return { eyebrow: words.eyebrow, title: <Large word={text.people.count(outcome.answer?.people.length ?? 0)} below={tally(outcome)} />, large: true };
  if (outcome?.code === "unsure") {
    return { eyebrow: words.unsureEyebrow, title: <Large word={words.unsure} below={words.unsureHeading} />, large: true };
  }
  if (outcome) return { eyebrow: words.refusalEyebrow, title: messageOf(outcome.code).title, large: false };
  const { queued, preparing, sending, busy, reconnecting } = text.work;
  const title = { queued: queued[0], preparing: preparing[0], sending: sending[0], busy, reconnecting, done: "" }[phase];
  return { eyebrow: text.work.eyebrow, title, large: false };
}

function Large({ word, below }: { word: string; below: string }) {
  return (
    <>
      {word} <span>{below}</span>
    </>
  );
}

function Body({ outcome, ...choice }: { outcome: Outcome } & Choice) {
  const { answer, code } = outcome;
  const { advice } = messageOf(code);
  if (answersOf(outcome).length > 0) return <PeopleAnswers outcome={outcome} {...choice} />;
  if (answer?.prediction || (answer && code === "unsure")) return <Sureness answer={answer} advice={advice} classifier={classifierOf(answer)} />;
  return (
    <>
      {code === "multiple_people" && answer && <p className={styles["count"]}>{words.people(answer.person_count)}</p>}
      {answer?.probabilities && <Probabilities probabilities={answer.probabilities} prediction={null} />}
      <p>{advice}</p>
    </>
  );
}

function Progress({ photo: { phase, resumesAt } }: { photo: Photo }) {
  const seconds = useCountdown(resumesAt);
  const { queued, preparing, sending, nothingLost, again } = text.work;
  const waiting = `${nothingLost} ${again(seconds)}`;
  return (
    <>
      <p>{{ queued: queued[1], preparing: preparing[1], sending: sending[1], busy: waiting, reconnecting: waiting, done: "" }[phase]}</p>
      <div className={styles["skeleton"]} aria-hidden="true">
        <span />
        <span />
      </div>
    </>
  );
}
