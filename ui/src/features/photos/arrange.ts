import { MESSAGES } from "./messages";
import type { Photo } from "./session";

export const FILTERS = { all: "All photos", answered: "Answered", refused: "No answer", failed: "Can be tried again", working: "In work" } as const;
export type Filter = keyof typeof FILTERS;

export const SORTS = { added: "As added", name: "Name", confidence: "Surest first", unsure: "Least sure first", outcome: "Outcome" } as const;
export type Sort = keyof typeof SORTS;

export const isFilter = (value: string): value is Filter => value in FILTERS;
export const isSort = (value: string): value is Sort => value in SORTS;

export const canRetry = (photo: Photo): boolean => photo.outcome !== null && MESSAGES[photo.outcome.code].retry;

const MATCHES: Record<Filter, (photo: Photo) => boolean> = {
  all: () => true,
  answered: (photo) => photo.outcome?.code === "ok",
  refused: (photo) => photo.outcome !== null && photo.outcome.code !== "ok",
  failed: canRetry,
  working: (photo) => photo.outcome === null,
};

/** Of the more probable label, also where the answer is unsure: there `confidence` is 0. */
const confidence = ({ outcome }: Photo, missing: number): number => {
  const probabilities = outcome?.answer?.probabilities;
  return probabilities ? Math.max(...Object.values(probabilities)) : missing;
};
const outcome = (photo: Photo): string => photo.outcome?.answer?.prediction ?? (photo.outcome ? MESSAGES[photo.outcome.code].short : "~");

const ORDERS: Record<Sort, (a: Photo, b: Photo) => number> = {
  added: (a, b) => a.id - b.id,
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  confidence: (a, b) => confidence(b, -1) - confidence(a, -1),
  unsure: (a, b) => confidence(a, 2) - confidence(b, 2),
  outcome: (a, b) => outcome(a).localeCompare(outcome(b)),
};

export function arrange(photos: readonly Photo[], filter: Filter, sort: Sort): Photo[] {
  return photos.filter(MATCHES[filter]).sort(ORDERS[sort]);
}
