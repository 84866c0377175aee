import { useState } from "react";
import type { ClassifierSplit, Interval } from "@/api/types";
import { Select } from "@/shared/Select";
import { labelOf, text } from "@/text";
import { words } from "@/text/model";
import { measuredPercent } from "../workspace/confidence";
import { range } from "./Figures";
import styles from "./Groups.module.css";
import { wholePercent } from "./Plot";

const count = new Intl.NumberFormat(text.locale);

const nameOf = (column: string) => words.columns[column] ?? column;

/** How often the model is right for each group of one column, such as age. */
export function Groups({ split: { groups } }: { split: ClassifierSplit }) {
  const columns = Object.keys(groups);
  const [chosen, choose] = useState(columns.find((column) => column === "age") ?? columns[0]);
  if (chosen === undefined) return null;
  const rows = Object.entries(groups[chosen] ?? {});
  const labels = [...new Set(rows.flatMap(([, { recall }]) => Object.keys(recall ?? {})))];
  // All intervals on one scale, which begins below the lowest.
  const lowest = Math.min(0.9, ...rows.flatMap(([, { accuracy }]) => (accuracy ? [accuracy.low] : [])));
  const from = Math.floor(lowest * 10) / 10;
  const scale = `${wholePercent.format(from)} – ${wholePercent.format(1)}`;
  return (
    <section aria-labelledby="groups">
      <div className={styles["head"]}>
        <h2 id="groups">{words.groupsTitle}</h2>
        <Select label={words.by} value={chosen} options={columns.map((column) => [column, nameOf(column)])} onChange={choose} />
      </div>
      <p className={styles["lead"]}>{words.groupsLead}</p>
      <table className={styles["groups"]}>
        <thead>
          <tr>
            <th scope="col">{words.table.group(nameOf(chosen))}</th>
            <th scope="col" className={styles["number"]}>
              {words.table.count}
            </th>
            <th scope="col" className={styles["number"]}>
              {words.table.right}
            </th>
            <th scope="col">{words.table.interval(scale)}</th>
            {labels.map((label) => (
              <th key={label} scope="col" className={`${styles["number"] ?? ""} ${styles["wide"] ?? ""}`}>
                {words.table.of(labelOf(label))}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([group, { photos, accuracy, recall }]) => (
            <tr key={group}>
              <th scope="row">{words.groups[group] ?? group}</th>
              <td className={styles["number"]}>{count.format(photos)}</td>
              <td className={styles["number"]}>{accuracy ? measuredPercent(accuracy.value) : "–"}</td>
              <td className={styles["plot"]}>
                {accuracy && (
                  <>
                    <Whisker of={accuracy} from={from} />
                    <span>{range(accuracy)}</span>
                  </>
                )}
              </td>
              {labels.map((label) => (
                <td key={label} className={`${styles["number"] ?? ""} ${styles["wide"] ?? ""}`}>
                  {recall?.[label] ? measuredPercent(recall[label].value) : "–"}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** An interval and its value on a scale to 100 %; the text beside it says the same. */
function Whisker({ of: { value, low, high }, from }: { of: Interval; from: number }) {
  const at = (share: number) => `${((share - from) / (1 - from)) * 100}%`;
  return (
    <svg aria-hidden="true">
      <line x1="0%" x2="100%" y1="50%" y2="50%" className={styles["track"]} />
      <line x1={at(low)} x2={at(high)} y1="50%" y2="50%" className={styles["interval"]} />
      <circle cx={at(value)} cy="50%" r="5" />
    </svg>
  );
}
