import { text } from "@/text";
import styles from "./About.module.css";

/** What the answer means, and what it does not. */
export function Meaning() {
  return (
    <section id="what-it-is" className={styles["about"]} tabIndex={-1}>
      <h2>{text.about.title}</h2>
      <div className={styles["columns"]}>
        {text.about.parts.map(([title, body]) => (
          <div key={title}>
            <h3>{title}</h3>
            <p>{body}</p>
          </div>
        ))}
      </div>
    </section>
  );
}

/** How an answer is computed, and by whom. */
export function Steps() {
  return (
    <section id="how-it-works" className={styles["about"]} tabIndex={-1}>
      <h2>{text.about.stepsTitle}</h2>
      <ol className={styles["steps"]}>
        {text.about.steps.map(([who, does]) => (
          <li key={who}>
            <strong>{who}</strong> {does}
          </li>
        ))}
      </ol>
    </section>
  );
}
