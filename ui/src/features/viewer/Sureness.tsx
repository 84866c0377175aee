import { Link } from "wouter";
import { text } from "@/text";
import { HOW } from "../workspace/addresses";
import { percent, sureness, wrongOneIn } from "../workspace/confidence";
import { likeliest } from "../workspace/outcome";
import styles from "./AnswerPanel.module.css";
import { Probabilities } from "./Probabilities";

const words = text.answer;

interface Props {
  answer: { prediction: string | null; confidence: number; probabilities: Record<string, number> | null };
  /** What may help where the model is unsure. */
  advice: string;
}

/** How sure the model is about one person: in words, as bars, and how often that is wrong. */
export function Sureness({ answer: { prediction, confidence, probabilities }, advice }: Props) {
  const leans = prediction ? null : likeliest(probabilities);
  return (
    <>
      {prediction && (
        <p className={styles["sure"]}>
          {sureness(confidence)} <span>· {words.confidence(percent(confidence))}</span>
        </p>
      )}
      {leans && <p className={styles["sure"]}>{words.leans(leans.label, percent(leans.share))}</p>}
      {probabilities && <Probabilities probabilities={probabilities} prediction={prediction} />}
      {prediction ? (
        <p className={styles["note"]}>
          {odds(confidence)}. {words.note} <Link href={`${HOW}#what-it-is`}>{words.noteLink}</Link>.
        </p>
      ) : (
        <p>{advice}</p>
      )}
    </>
  );
}

function odds(confidence: number): string {
  const oneIn = wrongOneIn(confidence);
  return oneIn === null ? text.sure.hardlyWrong : text.sure.wrong(oneIn);
}
