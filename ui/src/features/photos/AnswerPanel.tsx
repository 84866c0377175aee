import { useEffect, useRef } from "react";
import { Icon } from "../../shared/Icon";
import styles from "./AnswerPanel.module.css";
import { MESSAGES, percent, sureness } from "./messages";
import { Probabilities } from "./Probabilities";
import type { Photo } from "./session";
import { useCountdown } from "./useCountdown";

interface Props {
  photo: Photo;
  onRetry: () => void;
  onCancel: () => void;
}

/** The result for one photo, or its progress. */
export function AnswerPanel({ photo, onRetry, onCancel }: Props) {
  const { outcome } = photo;
  const heading = useRef<HTMLHeadingElement>(null);
  const wasBusy = useRef(outcome === null);
  const cancelled = outcome?.code === "cancelled";
  useEffect(() => {
    // The button that had the focus disappears when the photo is done.
    if (wasBusy.current && cancelled) heading.current?.focus();
    wasBusy.current = outcome === null;
  }, [outcome, cancelled]);

  if (!outcome) return <Working photo={photo} onCancel={onCancel} />;
  const message = MESSAGES[outcome.code];
  const answer = outcome.answer;
  return (
    <section className={styles["panel"]} aria-label="Answer">
      {outcome.code === "ok" && answer?.prediction ? (
        <>
          <p className={styles["eyebrow"]}>The model sees</p>
          <h2 ref={heading} tabIndex={-1} className={styles["prediction"]}>
            {answer.prediction} <span>presentation</span>
          </h2>
          <p className={styles["sure"]}>
            {sureness(answer.confidence)} <span>· {percent(answer.confidence)} confidence</span>
          </p>
          {answer.probabilities && <Probabilities probabilities={answer.probabilities} prediction={answer.prediction} />}
          <p className={styles["note"]}>
            A guess at how the person’s presentation is usually perceived, from pixels. Not their identity, and{" "}
            <a href="#what-it-is">nothing to decide by</a>.
          </p>
        </>
      ) : (
        <>
          <p className={styles["eyebrow"]}>No answer</p>
          <h2 ref={heading} tabIndex={-1} className={styles["problem"]}>
            {message.title}
          </h2>
          {outcome.code === "multiple_people" && answer && (
            <p className={styles["count"]}>{answer.person_count} people were found; each has a frame.</p>
          )}
          {answer?.probabilities && <Probabilities probabilities={answer.probabilities} prediction={null} />}
          <p>{message.advice}</p>
        </>
      )}
      {message.retry && (
        <button type="button" className="button primary" onClick={onRetry}>
          <Icon name="retry" /> Try again
        </button>
      )}
      <Details photo={photo} />
    </section>
  );
}

function Working({ photo, onCancel }: { photo: Photo; onCancel: () => void }) {
  const seconds = useCountdown(photo.resumesAt);
  const again = seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again.";
  const [title, text] = {
    queued: ["Waiting for its turn", "Other photos are being looked at."],
    preparing: ["Preparing the photo", "It is made smaller here, before it is sent."],
    sending: ["Looking at the photo", "First for people, then at the one person."],
    busy: ["The service is busy or warming up", `Nothing is lost. ${again}`],
    reconnecting: ["The service does not answer", `Nothing is lost. ${again}`],
    done: ["", ""],
  }[photo.phase];
  return (
    <section className={styles["panel"]} aria-label="Answer" aria-busy="true">
      <p className={styles["eyebrow"]}>In work</p>
      <h2 className={styles["problem"]}>{title}</h2>
      <p>{text}</p>
      <div className={styles["skeleton"]} aria-hidden="true">
        <span />
        <span />
      </div>
      <button type="button" className="button" onClick={onCancel}>
        <Icon name="close" /> Cancel
      </button>
    </section>
  );
}

function Details({ photo: { outcome } }: { photo: Photo }) {
  if (!outcome || (!outcome.requestId && !outcome.text)) return null;
  const rows = [
    ["Code", outcome.code],
    ["The service said", outcome.text],
    ["People found", outcome.answer?.people.map((person) => percent(person.score)).join(", ")],
    ["Detector", outcome.answer?.model?.detector],
    ["Classifier", outcome.answer?.model?.classifier],
    ["Request", outcome.requestId],
  ].filter((row): row is [string, string] => Boolean(row[1]));
  return (
    <details className={styles["details"]}>
      <summary>Details</summary>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
