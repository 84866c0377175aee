import { useId, useMemo, useRef, useState } from "react";
import { text } from "@/text";
import { measuredPercent, percent } from "../workspace/confidence";
import { useWorkspace } from "../workspace/context";
import { judgedOf, weigh, type Weighed } from "../workspace/threshold";
import styles from "./Threshold.module.css";

const words = text.threshold;
const [LEAST, MOST] = [0.5, 0.995];

/** From which confidence on an answer counts, to be tried out: it changes what the gallery shows, and nothing that the service answered. */
export function Threshold() {
  const { photos, arrangement, arrange, measured } = useWorkspace();
  const judged = useMemo(() => judgedOf(photos), [photos]);
  const id = useId();
  const slider = useRef<HTMLInputElement>(null);
  const [open] = useState(arrangement.threshold !== null); // afterwards it is the visitor's to open and close
  if (judged.length === 0) return null;
  const { threshold } = arrangement;
  const value = Math.max(LEAST, threshold ?? measured?.minConfidence ?? LEAST);
  const weighed = weigh(judged, value, measured);
  const set = (share: number | null) => arrange({ ...arrangement, threshold: share });
  const reset = () => {
    slider.current?.focus(); // the button is disabled now
    set(null);
  };
  return (
    <>
      <details className={styles["threshold"]} open={open} data-screen>
        <summary>{words.title}</summary>
        <div className={styles["row"]}>
          <label htmlFor={id}>{words.label}</label>
          <input
            ref={slider}
            id={id}
            type="range"
            min={LEAST * 100}
            max={MOST * 100}
            step="0.1"
            value={(value * 100).toFixed(1)}
            aria-valuetext={percent(value)}
            onChange={({ target }) => set(Number(target.value) / 100)}
          />
          <output htmlFor={id} className={styles["value"]}>
            {percent(value)}
          </output>
          <button type="button" className="button" disabled={threshold === null} onClick={reset}>
            {words.reset}
          </button>
        </div>
        <p className={styles["outcome"]} aria-live="polite">
          <strong>{words.shown(weighed.answered, weighed.unsure)}</strong>; {wrong(weighed)}.
        </p>
        <p className={styles["note"]}>{words.note}</p>
      </details>
      {threshold !== null && <p className={styles["active"]}>{words.active(percent(threshold))}</p>}
    </>
  );
}

function wrong({ wrong, measured }: Weighed): string {
  if (wrong === null) return words.none;
  return (measured ? words.wrong : words.wrongByOwn)(measuredPercent(wrong));
}
