import { text } from "@/text";
import { percent, SURENESS } from "../workspace/confidence";
import styles from "./About.module.css";

/** The table of words for a confidence. */
export function Words() {
  const { sureTitle, sureLead, sureColumns, from, atMost } = text.about;
  return (
    <section id="how-sure" className={styles["about"]} tabIndex={-1}>
      <h2>{sureTitle}</h2>
      <p className={styles["lead"]}>{sureLead}</p>
      <table className={styles["words"]}>
        <thead>
          <tr>
            {sureColumns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {SURENESS.map((level) => (
            <tr key={level.level}>
              <th scope="row">{text.sure.words[level.level]}</th>
              <td>{from(percent(Math.max(0.5, level.from)))}</td>
              <td>{atMost(level.wrong[0], level.wrong[1])}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
