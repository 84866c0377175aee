import { Definitions } from "@/shared/Definitions";
import { text } from "@/text";
import { percent } from "../workspace/confidence";
import type { Outcome } from "../workspace/outcome";
import styles from "./Details.module.css";

/** What those who run the service, or ask it from a program, want to know. */
export function Details({ outcome }: { outcome: Outcome }) {
  if (!outcome.requestId && !outcome.text) return null;
  const names = text.answer.detail;
  const rows = [
    [names.code, outcome.code],
    [names.text, outcome.text],
    [names.people, outcome.answer?.people.map(({ score }) => percent(score)).join(", ")],
    [names.detector, outcome.answer?.model?.detector],
    [names.classifier, outcome.answer?.model?.classifier],
    [names.request, outcome.requestId],
  ].filter((row): row is [string, string] => Boolean(row[1]));
  return (
    <details className={styles["details"]}>
      <summary>{text.answer.details}</summary>
      <Definitions rows={rows} />
    </details>
  );
}
