/**
 * How a confidence is told: one table of words, and one rounding rule. The model's confidence is calibrated, so `1 - confidence` is
 * how often such answers are expected to be wrong, and the words follow that.
 */
export const SURENESS = [
  { from: 0.99, words: "Very sure", wrong: "1 in 100" },
  { from: 0.95, words: "Quite sure", wrong: "1 in 20" },
  { from: 0.9, words: "Fairly sure", wrong: "1 in 10" },
  { from: 0.75, words: "Rather unsure", wrong: "1 in 4" },
  { from: 0.6, words: "Unsure", wrong: "2 in 5" },
  { from: 0, words: "Little more than a coin toss", wrong: "1 in 2" },
] as const;

/** In tenths of a percent, rounded towards even chances, so that nothing is shown as surer than it is, and a pair sums to 100. */
const tenths = (share: number): number => {
  const inward = share > 0.5 ? Math.floor(share * 1000 + 1e-6) : Math.ceil(share * 1000 - 1e-6);
  return Math.min(999, Math.max(1, inward));
};

/** A probability as text, always with one decimal: 0.9996 and 1 are "99.9%", because nothing here is certain. */
export const percent = (share: number): string => `${(tenths(share) / 10).toFixed(1)}%`;

/** The confidence in words, for the figure that `percent` shows. */
export function sureness(confidence: number): string {
  const shown = tenths(confidence) / 1000;
  return SURENESS.find(({ from }) => shown >= from)?.words ?? "";
}

/** N, where one in N such answers is expected to be wrong; null when fewer than one in 100 are. */
export function wrongOneIn(confidence: number): number | null {
  const wrong = 1 - tenths(confidence) / 1000;
  return wrong < 0.01 ? null : Math.max(2, Math.round(1 / wrong));
}
