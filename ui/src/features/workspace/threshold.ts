import type { Answer } from "@/api/types";
import { classifierOf, rightAt, type Measured } from "./measured";
import { likeliest } from "./outcome";
import { answersOf } from "./people";
import type { Photo } from "./session";

const JUDGED: ReadonlySet<string> = new Set(["ok", "unsure"]);

/**
 * A photo as it would be, had the service answered from another confidence on: only for what is shown, and never kept or exported.
 *
 * Null leaves it as it is. So are photos without probabilities: no threshold would have changed what became of them.
 */
export function asIf(photo: Photo, threshold: number | null): Photo {
  const { outcome } = photo;
  if (threshold === null || !outcome?.answer || !JUDGED.has(outcome.code)) return photo;
  const { answer } = outcome;
  const judged: Answer = answersOf(outcome).length > 0 ? ofEach(answer, threshold) : { ...answer, ...verdict(answer.probabilities, threshold) };
  return { ...photo, outcome: { ...outcome, code: judged.code, answer: judged, text: judged.error } };
}

/** An answer about somebody: how likely its label is, and which classifier says so. */
export interface Judged {
  share: number;
  classifier: string | undefined;
}

/** All answers of a visit that a threshold decides about: of several people, each. */
export function judgedOf(photos: readonly Photo[]): Judged[] {
  return photos.flatMap(({ outcome }) => {
    if (!outcome?.answer || !JUDGED.has(outcome.code)) return [];
    const each = answersOf(outcome);
    const all = each.length > 0 ? each.map(({ probabilities }) => probabilities) : [outcome.answer.probabilities];
    return all.flatMap((probabilities) => {
      const share = likeliest(probabilities)?.share;
      return share === undefined ? [] : [{ share, classifier: classifierOf(outcome.answer) }];
    });
  });
}

/** What a threshold makes of answers. */
export interface Weighed {
  answered: number;
  unsure: number;
  /** Share of those answered that is expected to be wrong; null when none is. */
  wrong: number | null;
  /** Whether that was measured on test photos for all of them. */
  measured: boolean;
}

export function weigh(judged: readonly Judged[], threshold: number, measured: Measured | null): Weighed {
  const answered = judged.filter(({ share }) => share >= threshold);
  const right = answered.map(({ share, classifier }) => rightAt(measured, classifier, share));
  const expected = answered.map(({ share }, index) => 1 - (right[index] ?? share));
  return {
    answered: answered.length,
    unsure: judged.length - answered.length,
    wrong: answered.length > 0 ? expected.reduce((sum, each) => sum + each, 0) / answered.length : null,
    measured: right.every((share) => share !== null),
  };
}

type Verdict = Pick<Answer, "code" | "prediction" | "confidence" | "error">;

function verdict(probabilities: Record<string, number> | null, threshold: number): Verdict {
  const most = likeliest(probabilities);
  return most && most.share >= threshold
    ? { code: "ok", prediction: most.label, confidence: most.share, error: null }
    : { code: "unsure", prediction: null, confidence: 0, error: null };
}

function ofEach(answer: Answer, threshold: number): Answer {
  const people = answer.people.map((person) => ("code" in person && JUDGED.has(person.code) ? { ...person, ...verdict(person.probabilities, threshold) } : person));
  const any = people.some((person) => "prediction" in person && person.prediction !== null);
  return { ...answer, people, code: any ? "ok" : "unsure" };
}
