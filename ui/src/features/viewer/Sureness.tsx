import { Link } from "wouter";
import { labelOf, text } from "@/text";
import { HOW } from "../workspace/addresses";
import { percent, rightOfHundred, sureness, wrongOneIn } from "../workspace/confidence";
import { useWorkspace } from "../workspace/context";
import { rightAt } from "../workspace/measured";
import { likeliest } from "../workspace/outcome";
import styles from "./AnswerPanel.module.css";
import { Probabilities } from "./Probabilities";

const words = text.answer;

interface Props {
  answer: { prediction: string | null; confidence: number; probabilities: Record<string, number> | null };
  /** What may help where the model is unsure. */
  advice: string;
  /** The one that answered. */
  classifier: string | undefined;
}

/** How sure the model is about one person: in words, as bars, and how often such answers are right. */
export function Sureness({ answer: { prediction, confidence, probabilities }, advice, classifier }: Props) {
  const { measured } = useWorkspace();
  const leans = prediction ? null : likeliest(probabilities);
  const right = rightAt(measured, classifier, leans?.share ?? confidence);
  return (
    <>
      {prediction && (
        <p className={styles["sure"]}>
          {sureness(right ?? confidence)} <span>· {words.confidence(percent(confidence))}</span>
        </p>
      )}
      {leans && <p className={styles["sure"]}>{words.leans(labelOf(leans.label), percent(leans.share))}</p>}
      {probabilities && <Probabilities probabilities={probabilities} prediction={prediction} />}
      {prediction ? (
        <p className={styles["note"]}>
          {right === null ? odds(confidence) : text.sure.measured(rightOfHundred(right))}. {words.note} <Link href={`${HOW}#what-it-is`}>{words.noteLink}</Link>.
        </p>
      ) : (
        <>
          {leans && right !== null && <p className={styles["note"]}>{text.sure.measured(rightOfHundred(right))}.</p>}
          <p>{advice}</p>
        </>
      )}
    </>
  );
}

function odds(confidence: number): string {
  const oneIn = wrongOneIn(confidence);
  return oneIn === null ? text.sure.hardlyWrong : text.sure.wrong(oneIn);
}
