import { labelOf, text } from "@/text";
import { percent } from "../workspace/confidence";
import styles from "./Probabilities.module.css";

/** A bar for each label, in a fixed order, so that photos can be compared; the predicted one, if any, stands out. */
export function Probabilities({ probabilities, prediction }: { probabilities: Record<string, number>; prediction: string | null }) {
  return (
    <dl className={styles["bars"]} aria-label={text.answer.probabilities}>
      {Object.entries(probabilities)
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([label, probability]) => (
          <div key={label} data-predicted={label === prediction || undefined}>
            <dt>{labelOf(label)}</dt>
            <dd>{percent(probability)}</dd>
            <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
              <rect width="100" height="1" className={styles["track"]} />
              <rect width={100 * probability} height="1" className={styles["value"]} />
            </svg>
          </div>
        ))}
    </dl>
  );
}
