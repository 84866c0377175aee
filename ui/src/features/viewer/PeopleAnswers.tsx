import { text } from "@/text";
import { messageOf } from "@/text/messages";
import { percent } from "../workspace/confidence";
import { classifierOf } from "../workspace/measured";
import type { Outcome } from "../workspace/outcome";
import { answersOf, leftOut, wordOf } from "../workspace/people";
import styles from "./PeopleAnswers.module.css";
import { Sureness } from "./Sureness";

/** Which of several people is chosen, by their place among the people of the answer. */
export interface Choice {
  chosen: number;
  onChoose: (person: number) => void;
}

const words = text.people;

/** The answers about several people, numbered like their frames, and the chosen one in full. */
export function PeopleAnswers({ outcome, chosen, onChoose }: { outcome: Outcome } & Choice) {
  const answers = answersOf(outcome);
  const person = answers[chosen];
  const left = leftOut(outcome);
  return (
    <>
      <p className={styles["hint"]}>{words.numbered}</p>
      <ul className={styles["list"]} aria-label={words.list}>
        {answers.map((answer, index) => (
          <li key={index}>
            <button type="button" aria-pressed={index === chosen} onClick={() => onChoose(index)}>
              <span className={styles["number"]}>
                <span className="visually-hidden">{words.person(index + 1)}:</span>
                <span aria-hidden="true">{index + 1}</span>
              </span>{" "}
              <span className={styles["word"]}>{wordOf(answer)}</span>{" "}
              {answer.prediction && <span className={styles["share"]}>{percent(answer.confidence)}</span>}
            </button>
          </li>
        ))}
      </ul>
      {left > 0 && <p className={styles["hint"]}>{words.leftAdvice(answers.length + 1, left)}</p>}
      {person && (
        <section className={styles["person"]} aria-labelledby="chosen-person">
          <h3 id="chosen-person">
            {words.person(chosen + 1)}: <span className={styles["word"]}>{wordOf(person)}</span> {person.prediction && text.answer.presentation}
          </h3>
          <Sureness
            answer={person}
            advice={person.code === "unsure" ? words.unsureAdvice : messageOf(person.code).advice}
            classifier={classifierOf(outcome.answer)}
          />
        </section>
      )}
    </>
  );
}
