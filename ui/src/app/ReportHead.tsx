import { useEffect, useState } from "react";
import { flushSync } from "react-dom";
import type { Answer } from "@/api/types";
import { text } from "@/text";
import styles from "./App.module.css";

const words = text.report;
const date = new Intl.DateTimeFormat(text.locale, { dateStyle: "long", timeStyle: "short" });

/** What a printed page says first: when, which models, and what their answers are not. */
export function ReportHead({ models }: { models: Answer["model"] }) {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const update = () => flushSync(() => setNow(new Date())); // the page is drawn as soon as this returns
    addEventListener("beforeprint", update);
    return () => removeEventListener("beforeprint", update);
  }, []);
  return (
    <div className={styles["report"]} data-print>
      <strong>{text.brand}</strong>
      <p>{words.made(date.format(now))}</p>
      {models && <p>{words.models(models.classifier, models.detector)}</p>}
      {text.about.parts.map(([title, body]) => (
        <p key={title}>
          <strong>{title}</strong> {body}
        </p>
      ))}
    </div>
  );
}
