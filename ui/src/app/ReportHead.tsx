import { useEffect, useState } from "react";
import { flushSync } from "react-dom";
import type { Answer } from "@/api/types";
import { text } from "@/text";
import styles from "./App.module.css";

const words = text.report;
const date = new Intl.DateTimeFormat(text.locale, { dateStyle: "long", timeStyle: "short" });

/** What a printed page says first: when, which models, and what their answers are not. It is there only while a page is printed. */
export function ReportHead({ models }: { models: Answer["model"] }) {
  const printed = usePrinting();
  if (!printed) return null;
  return (
    <div className={styles["report"]} data-print>
      <strong>{text.brand}</strong>
      <p>{words.made(date.format(printed))}</p>
      {models && <p>{words.models(models.classifier, models.detector)}</p>}
      {text.about.parts.map(([title, body]) => (
        <p key={title}>
          <strong>{title}</strong> {body}
        </p>
      ))}
    </div>
  );
}

/** Since when a page has been printed; null when none is. Not all browsers tell it in the same way. */
function usePrinting(): Date | null {
  const [printed, setPrinted] = useState<Date | null>(null);
  useEffect(() => {
    const paper = matchMedia("print");
    const begin = () => flushSync(() => setPrinted(new Date())); // the page is drawn as soon as this returns
    const end = () => setPrinted(null);
    const change = () => (paper.matches ? begin() : end());
    addEventListener("beforeprint", begin);
    addEventListener("afterprint", end);
    paper.addEventListener("change", change);
    return () => {
      removeEventListener("beforeprint", begin);
      removeEventListener("afterprint", end);
      paper.removeEventListener("change", change);
    };
  }, []);
  return printed;
}
