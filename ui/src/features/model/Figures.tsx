import type { ClassifierSplit, Interval } from "@/api/types";
import { words } from "@/text/model";
import { measuredPercent, percent } from "../workspace/confidence";
import styles from "./Figures.module.css";

/** The few figures that say most, each with its interval. */
export function Figures({ scores, minConfidence }: { scores: ClassifierSplit; minConfidence: number }) {
  const { selection } = scores;
  return (
    <>
      <dl className={styles["figures"]}>
        <Figure name={words.right} note={words.rightNote} of={scores.accuracy} />
        <Figure name={words.counted} note={words.countedNote} of={scores.answered} />
        {minConfidence > 0 && <Figure name={words.answered} note={words.answeredNote(percent(minConfidence))} of={selection?.coverage} />}
        {minConfidence > 0 && <Figure name={words.wrong} note={words.wrongNote} of={selection?.risk} />}
        <Figure name={words.error} note={words.errorNote} of={scores.ece} />
      </dl>
      <p className={styles["note"]}>{words.intervals}</p>
    </>
  );
}

function Figure({ name, note, of }: { name: string; note: string; of: Interval | null | undefined }) {
  if (!of) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <strong>{measuredPercent(of.value)}</strong>
        <span>{range(of)}</span>
        <span>{note}</span>
      </dd>
    </div>
  );
}

/** The ends of an interval, in words. */
export const range = ({ low, high }: Interval): string => words.range(measuredPercent(low), measuredPercent(high));
