import { text } from "@/text";

/**
 * How a confidence is told: one table of words, and one rounding rule. The words follow the share of such answers that is right, as it
 * was measured on test photos (`measured.ts`), and where nothing was, the model's confidence, which is calibrated.
 */
export const SURENESS = [
  { from: 0.99, level: "very", wrong: [1, 100] },
  { from: 0.95, level: "quite", wrong: [1, 20] },
  { from: 0.9, level: "fairly", wrong: [1, 10] },
  { from: 0.75, level: "rather", wrong: [1, 4] },
  { from: 0.6, level: "unsure", wrong: [2, 5] },
  { from: 0, level: "coin", wrong: [1, 2] },
] as const;

const format = new Intl.NumberFormat(text.locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** In tenths of a percent, rounded towards even chances, so that nothing is shown as surer than it is, and a pair sums to 100. */
const tenths = (share: number): number => {
  const inward = share > 0.5 ? Math.floor(share * 1000 + 1e-6) : Math.ceil(share * 1000 - 1e-6);
  return Math.min(999, Math.max(1, inward));
};

/** A probability as text, always with one decimal: 0.9996 and 1 are "99.9%", because nothing here is certain. */
export const percent = (share: number): string => format.format(tenths(share) / 1000);

/** A measured share as text, with one decimal: of what was counted, none and all are possible. */
export const measuredPercent = (share: number): string => format.format(share);

/** How sure the model is, in words, for the share of such answers that is right. */
export function sureness(right: number): string {
  const shown = tenths(right) / 1000;
  const level = SURENESS.find(({ from }) => shown >= from)?.level ?? "coin";
  return text.sure.words[level];
}

/** Of 100 such answers, how many are right: rounded like a percentage, and never all or none. */
export function rightOfHundred(right: number): number {
  const shown = tenths(right) / 10;
  return Math.min(99, Math.max(1, shown > 50 ? Math.floor(shown) : Math.ceil(shown)));
}

/** N, where one in N such answers is expected to be wrong; null when fewer than one in 100 are. */
export function wrongOneIn(confidence: number): number | null {
  const wrong = 1 - tenths(confidence) / 1000;
  return wrong < 0.01 ? null : Math.max(2, Math.round(1 / wrong));
}
