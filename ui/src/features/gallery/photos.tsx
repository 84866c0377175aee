import { memo } from "react";
import { Link } from "wouter";
import { Icon } from "@/shared/Icon";
import { labelOf, text } from "@/text";
import { messageOf } from "@/text/messages";
import { photoAddress } from "../workspace/addresses";
import { canRetry } from "../workspace/arrange";
import { percent } from "../workspace/confidence";
import { likeliest } from "../workspace/outcome";
import { answersOf, meaningOf, tally } from "../workspace/people";
import type { Photo, PhotoSession } from "../workspace/session";
import { asIf } from "../workspace/threshold";
import { Thumbnail } from "../workspace/Thumbnail";
import styles from "./photos.module.css";

interface Of {
  photo: Photo;
  /** From which confidence on answers count here; null: as the service answered. */
  threshold: number | null;
  session: PhotoSession;
  focusPhoto: (id: number) => void;
}

const words = text.gallery;
const same = (before: Of, after: Of) => before.photo === after.photo && before.threshold === after.threshold; // the rest acts the same, however new

/** A photo of the grid. */
export const Card = memo(function Card({ photo, threshold, ...actions }: Of) {
  return (
    <li className={styles["card"]}>
      <Link href={photoAddress(photo.id)} data-photo={photo.id}>
        <Thumbnail photo={photo} />
        <span className={styles["name"]}>{photo.name}</span>
        <Verdict photo={asIf(photo, threshold)} />
      </Link>
      <Tool photo={photo} {...actions} />
    </li>
  );
}, same);

/**
 * The same as a table, by its roles: a thousand rows of a `<table>` would all be laid out and painted for each change, because none can be
 * skipped while it is out of sight.
 */
export function Table({ photos, ...actions }: { photos: readonly Photo[] } & Omit<Of, "photo">) {
  const { photo, answer, people, meaning, tools } = words.columns;
  return (
    <div role="table" className={styles["table"]} aria-label={words.table}>
      <div role="rowgroup" className={styles["head"]}>
        <div role="row" className={styles["row"]}>
          <span role="columnheader">{photo}</span>
          <span role="columnheader">{answer}</span>
          <span role="columnheader" className={styles["wide"]}>
            {people}
          </span>
          <span role="columnheader" className={styles["wide"]}>
            {meaning}
          </span>
          <span role="columnheader">
            <span className="visually-hidden">{tools}</span>
          </span>
        </div>
      </div>
      <div role="rowgroup">
        {photos.map((each) => (
          <Row key={each.id} photo={each} {...actions} />
        ))}
      </div>
    </div>
  );
}

const Row = memo(function Row({ photo, threshold, ...actions }: Of) {
  const seen = asIf(photo, threshold);
  return (
    <div role="row" className={styles["row"]}>
      <div role="rowheader">
        <Link href={photoAddress(photo.id)} data-photo={photo.id}>
          <Thumbnail photo={photo} />
          <span className={styles["name"]}>{photo.name}</span>
        </Link>
      </div>
      <div role="cell">
        <Verdict photo={seen} />
      </div>
      <div role="cell" className={styles["wide"]}>
        {photo.outcome?.answer?.person_count}
      </div>
      <div role="cell" className={styles["wide"]}>
        {seen.outcome && meaningOf(seen.outcome)}
      </div>
      <div role="cell">
        <Tool photo={photo} {...actions} />
      </div>
    </div>
  );
}, same);

function Verdict({ photo: { phase, outcome } }: { photo: Photo }) {
  if (!outcome) return <span className={styles["working"]}>{text.work.short[phase]}</span>;
  const prediction = outcome.answer?.prediction;
  if (prediction) {
    return (
      <span className={styles["verdict"]}>
        {labelOf(prediction)} <span>{percent(outcome.answer?.confidence ?? 0)}</span>
      </span>
    );
  }
  if (answersOf(outcome).length > 0) {
    return (
      <span className={styles["several"]}>
        {text.people.count(outcome.answer?.people.length ?? 0)}: <span>{tally(outcome)}</span>
      </span>
    );
  }
  const { short, tone } = messageOf(outcome.code);
  const leans = likeliest(outcome.answer?.probabilities);
  return (
    <span className={tone === "answer" ? styles["unsure"] : styles["refusal"]} data-tone={tone}>
      {short}
      {leans && (
        <span>
          {" "}
          {labelOf(leans.label)} {percent(leans.share)}
        </span>
      )}
    </span>
  );
}

/** Cancels, tries again or removes one photo; its label names the photo, for screen readers. */
function Tool({ photo, session, focusPhoto }: Omit<Of, "threshold">) {
  const { retry, cancel, remove } = words.tool;
  const [icon, name, act] = !photo.outcome
    ? (["close", cancel, () => session.cancel(photo.id)] as const)
    : canRetry(photo)
      ? (["retry", retry, () => session.retry([photo.id])] as const)
      : (["trash", remove, () => session.remove([photo.id])] as const);
  const press = () => {
    act();
    focusPhoto(photo.id);
  };
  return (
    <button type="button" className={styles["tool"]} data-quiet={icon === "trash" || undefined} onClick={press} aria-label={`${name}: ${photo.name}`} title={name}>
      <Icon name={icon} />
    </button>
  );
}
