import type { ClassifierCard, DetectorCard, ModelCards } from "@/api/types";
import { Definitions } from "@/shared/Definitions";
import { words } from "@/text/model";
import { measuredPercent } from "../workspace/confidence";
import styles from "./ModelPage.module.css";
import { plain } from "./plain";

/** Names, revisions, licences, thresholds and origins of both models. */
export function Facts({ cards: { classifier, detector } }: { cards: ModelCards }) {
  const counted = detector.metrics?.["test"];
  return (
    <section aria-labelledby="facts">
      <h2 id="facts">{words.factsTitle}</h2>
      <div className={styles["columns"]}>
        <Card of="classifier" card={classifier} />
        <Card of="detector" card={detector} note={counted && words.peopleCounted(measuredPercent(counted.accuracy), String(counted.photos))} />
      </div>
    </section>
  );
}

function Card({ of, card, note }: { of: keyof typeof words.roles; card: ClassifierCard | DetectorCard; note?: string | undefined }) {
  const rows = [
    [words.name, card.name],
    [words.revision, card.revision],
    [words.architecture, card.architecture],
    [words.labels, card.labels.join(", ")],
    [words.licence, card.licence && plain(card.licence)],
  ].filter((row): row is [string, string] => Boolean(row[1]));
  return (
    <div>
      <h3>{words.roles[of]}</h3>
      {note && <p>{note}</p>}
      <Definitions rows={rows} />
      <details>
        <summary>{words.decision}</summary>
        <Definitions rows={Object.entries(card.decision).map(([name, value]) => [name, told(value)])} />
      </details>
      <details>
        <summary>{words.more}</summary>
        <Definitions rows={[...Object.entries(card.facts).map(([name, value]): [string, string] => [name, plain(value)]), [words.digest, card.weights_sha256]]} />
      </details>
    </div>
  );
}

const told = (value: unknown): string =>
  Array.isArray(value) ? value.map(told).join(", ") : value === null ? "–" : typeof value === "string" ? value : JSON.stringify(value);
