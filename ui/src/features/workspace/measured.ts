import type { Answer, ClassifierSplit, ModelCards } from "@/api/types";

/** Answers about test photos with a similar confidence. */
export interface Range {
  /** The lowest of their confidences. */
  readonly from: number;
  readonly answers: number;
  /** Share of them that is right. */
  readonly right: number;
}

/** What was measured for a classifier. */
export interface Measured {
  /** As answers name it: name@revision. */
  readonly classifier: string;
  /** From the highest confidence to the lowest; none where there were too few photos to tell. */
  readonly ranges: readonly Range[];
  /** The confidence below which the service is unsure. */
  readonly minConfidence: number;
}

/** Fewer answers could not tell whether one in a hundred is wrong, or none. */
export const LEAST_ANSWERS = 200;
const MAIN_SPLIT = "test";

/** The name of the split that the page speaks of first: that of photos set aside for testing, if there is one. */
export const mainSplit = (metrics: Record<string, ClassifierSplit>): string | undefined =>
  MAIN_SPLIT in metrics ? MAIN_SPLIT : Object.keys(metrics)[0];

export function measuredOf({ classifier: { name, revision, metrics, decision } }: ModelCards): Measured {
  const split = metrics?.[mainSplit(metrics) ?? ""];
  const least = decision["min_confidence"];
  return { classifier: `${name}@${revision}`, ranges: split ? rangesOf(split) : [], minConfidence: typeof least === "number" ? least : 0 };
}

/**
 * How often answers of each confidence are right: from the curve of risk and coverage, which is finer, or from the reliability bins.
 *
 * Where surer answers are less often right than the next, that is chance, and they are told together (isotonic regression by pooling
 * adjacent violators, Ayer et al. 1955); so are those of which there are few.
 */
export function rangesOf(split: ClassifierSplit): Range[] {
  const ranges: Range[] = [];
  for (const next of split.curve ? slices(split.photos, split.curve) : bins(split.reliability ?? [])) {
    let range = next;
    for (let last = ranges.at(-1); last && (last.answers < LEAST_ANSWERS || last.right < range.right); last = ranges.at(-1)) {
      range = together(last, range);
      ranges.pop();
    }
    ranges.push(range);
  }
  const [lowest, above] = [ranges.at(-1), ranges.at(-2)];
  if (!lowest || lowest.answers >= LEAST_ANSWERS) return ranges;
  return above ? [...ranges.slice(0, -2), together(above, lowest)] : [];
}

/** Share of the test photos' answers that is right at a confidence; null where nothing is known about the model that answered. */
export function rightAt(measured: Measured | null, classifier: string | undefined, confidence: number): number | null {
  if (!measured || measured.classifier !== classifier) return null;
  const { ranges } = measured;
  return (ranges.find(({ from }) => confidence >= from) ?? ranges.at(-1))?.right ?? null;
}

/** The classifier that answered. */
export const classifierOf = (answer: Answer | null | undefined): string | undefined => answer?.model?.classifier;

const together = (surer: Range, next: Range): Range => {
  const answers = surer.answers + next.answers;
  return { from: next.from, answers, right: answers > 0 ? (surer.answers * surer.right + next.answers * next.right) / answers : 0 };
};

/** What lies between each two points of the curve, which counts from the surest answer on. */
function slices(photos: number, curve: NonNullable<ClassifierSplit["curve"]>): Range[] {
  let answers = 0;
  let wrong = 0;
  return curve.map(({ threshold, coverage, risk }) => {
    const [before, wrongBefore] = [answers, wrong];
    answers = coverage * photos;
    wrong = risk * answers;
    const here = answers - before;
    return { from: threshold, answers: here, right: here > 0 ? 1 - Math.max(0, wrong - wrongBefore) / here : 0 };
  });
}

const bins = (reliability: NonNullable<ClassifierSplit["reliability"]>): Range[] =>
  [...reliability].reverse().map(({ low, answers, accuracy }) => ({ from: low, answers, right: accuracy }));
