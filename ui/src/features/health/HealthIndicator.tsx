import { Suspense, useState } from "react";
import type { Health } from "@/api/types";
import { chunk } from "@/shared/chunk";
import { text } from "@/text";
import styles from "./HealthIndicator.module.css";
import type { State } from "./useHealth";

const [HealthPanel, loadHealthPanel] = chunk(() => import("./HealthPanel"));
export { loadHealthPanel };

export interface Props {
  state: State;
  health: Health | null;
}

/** The service's state in a word, with details on click. */
export function HealthIndicator(props: Props) {
  const [asked, setAsked] = useState(false);
  const { state } = props;
  const button = (
    <button type="button" className={styles["trigger"]} aria-haspopup="dialog" aria-expanded="false" aria-label={text.health.service(text.health.states[state][0] ?? "")} onClick={() => setAsked(true)}>
      <Light state={state} />
    </button>
  );
  return asked ? (
    <Suspense fallback={button}>
      <HealthPanel {...props} />
    </Suspense>
  ) : (
    button
  );
}

export function Light({ state }: { state: State }) {
  return (
    <>
      <span className={styles["dot"]} data-state={state} />
      <span className={styles["word"]}>{text.health.states[state][0]}</span>
    </>
  );
}
