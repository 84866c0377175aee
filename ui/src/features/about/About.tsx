import styles from "./About.module.css";

const STEPS = [
  ["Your browser", "makes a large photo smaller and turns it upright. The photo goes to the service and nowhere else."],
  ["A detector", "of the DETR family looks for people. Nobody, or several: the service says so, and stops."],
  ["A classifier", "(a vision transformer) looks at the one person and gives a probability to each of two labels. If neither is probable enough, the service says that it is unsure."],
  ["You", "see the answer, the frame in which it looked, and how sure it is. Nothing is kept, here or there."],
] as const;

/** What the answer means, what it does not, and how it is computed. */
export function About() {
  return (
    <>
      <section id="what-it-is" className={styles["about"]} tabIndex={-1}>
        <h2>What the answer is, and what it is not</h2>
        <div className={styles["columns"]}>
          <div>
            <h3>It is</h3>
            <p>
              a guess at how a person’s gender presentation is usually perceived, from pixels: hair, clothes, make-up, beard, and whatever
              else the training photos had in common. It knows two words, because its training data has two labels.
            </p>
          </div>
          <div>
            <h3>It is not</h3>
            <p>
              anyone’s gender or identity. It is wrong more often for people who are rare in its training data, and a high confidence means
              “such photos were labelled so”, nothing more.
            </p>
          </div>
          <div>
            <h3>Do not use it</h3>
            <p>to decide anything about a person, to address or sort people, or to check who somebody is.</p>
          </div>
        </div>
      </section>
      <section id="how-it-works" className={styles["about"]} tabIndex={-1}>
        <h2>How it works</h2>
        <ol className={styles["steps"]}>
          {STEPS.map(([who, does]) => (
            <li key={who}>
              <strong>{who}</strong> {does}
            </li>
          ))}
        </ol>
      </section>
    </>
  );
}
