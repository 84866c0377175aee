import type { AnsweredPerson } from "@/api/types";
import { labelOf, text } from "@/text";
import { messageOf } from "@/text/messages";
import { percent } from "./confidence";
import { likeliest, type Outcome } from "./outcome";

/** The people of a photo of several who have an answer each, the largest first; none where the answer is about the photo as a whole. */
export function answersOf(outcome: Outcome | null): readonly AnsweredPerson[] {
  const answer = outcome?.answer;
  return answer && answer.people.length > 1 ? answer.people.filter((person) => "code" in person) : [];
}

/** How many of several people the service did not answer about, because others are larger. */
export const leftOut = (outcome: Outcome): number => (outcome.answer?.people.length ?? 0) - answersOf(outcome).length;

/** In a word or two what the model sees in somebody. */
export const wordOf = ({ prediction, code }: AnsweredPerson): string => prediction ? labelOf(prediction) : messageOf(code).short.toLowerCase();

/** A person's answer in one line: the name of their frame. */
export const lineOf = (person: AnsweredPerson, number: number): string =>
  text.people.line(number, wordOf(person), person.prediction ? percent(person.confidence) : null);

/** How many people have which answer, "1 female, 1 male, 1 unsure"; also how many the service did not answer about. */
export function tally(outcome: Outcome): string {
  const answers = answersOf(outcome);
  const counts = new Map<string, number>();
  const words = (some: readonly AnsweredPerson[]) => some.map(wordOf).sort((a, b) => a.localeCompare(b));
  for (const word of [...words(answers.filter((person) => person.prediction)), ...words(answers.filter((person) => !person.prediction))]) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const left = leftOut(outcome);
  const parts = [...counts].map(([word, count]) => `${count} ${word}`);
  return [...parts, ...(left > 0 ? [text.people.left(left)] : [])].join(", ");
}

/** The people with their answers in one line, for cards, the table and screen readers. */
export const summary = (outcome: Outcome): string => `${text.people.count(outcome.answer?.people.length ?? 0)}: ${tally(outcome)}`;

/** What an outcome means, in a sentence. */
export const meaningOf = (outcome: Outcome): string => (answersOf(outcome).length > 0 ? text.people.meaning(leftOut(outcome)) : messageOf(outcome.code).title);

/** The probability of the likeliest label, also where the model is unsure; of several people, that of the one it is least sure about. */
export function shareOf(outcome: Outcome | null): number | null {
  const each = answersOf(outcome);
  const all = each.length > 0 ? each.map(({ probabilities }) => probabilities) : [outcome?.answer?.probabilities ?? null];
  const shares = all.flatMap((probabilities) => likeliest(probabilities)?.share ?? []);
  return shares.length > 0 ? Math.min(...shares) : null;
}
