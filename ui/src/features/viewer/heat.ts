import type { HeatMap } from "@/api/client";

/** Changes of the log-odds below this do not matter: a probability of 90 % stays above 85 %. */
export const LITTLE = 0.4;

/** Where in the frame, as a third from the top and one from the left; null where nothing matters. */
export function strongest({ changes }: Pick<HeatMap, "changes">): { down: 0 | 1 | 2; across: 0 | 1 | 2 } | null {
  const sums = new Map<string, { sum: number; cells: number; down: 0 | 1 | 2; across: 0 | 1 | 2 }>();
  changes.forEach((row, r) => {
    row.forEach((change, c) => {
      const [down, across] = [third(r, changes.length), third(c, row.length)];
      const region = sums.get(`${down} ${across}`) ?? { sum: 0, cells: 0, down, across };
      sums.set(`${down} ${across}`, { ...region, sum: region.sum + Math.max(0, change), cells: region.cells + 1 });
    });
  });
  if (Math.max(...changes.flat()) < LITTLE) return null;
  const [first] = [...sums.values()].sort((a, b) => b.sum / b.cells - a.sum / a.cells);
  return first ? { down: first.down, across: first.across } : null;
}

/** How strong the colour of each part is, -1 to 1: the strongest has all of it, unless even that one matters little. */
export function strengths({ changes }: Pick<HeatMap, "changes">): number[][] {
  const most = Math.max(LITTLE, ...changes.flat().map(Math.abs));
  return changes.map((row) => row.map((change) => change / most));
}

/** The third in which the middle of one of so many equal parts lies. */
const third = (index: number, of: number) => Math.min(2, Math.floor((3 * (index + 0.5)) / of)) as 0 | 1 | 2;
