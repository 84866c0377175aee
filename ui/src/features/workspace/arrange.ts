import { labelOf, text } from "@/text";
import { messageOf } from "@/text/messages";
import { answersOf, shareOf, summary } from "./people";
import type { Photo } from "./session";
import { asIf } from "./threshold";

export type Filter = keyof typeof text.gallery.filters;
export type Sort = keyof typeof text.gallery.sorts;

/** How many photos are shown: also the order of Previous and Next. */
export interface Arrangement {
  layout: "grid" | "table";
  filter: Filter;
  sort: Sort;
  /** From which confidence on answers count, as far as it is shown; null: as the service answered. */
  threshold: number | null;
}

export const AS_ADDED: Arrangement = { layout: "grid", filter: "all", sort: "added", threshold: null };

export const isFilter = (value: string): value is Filter => value in text.gallery.filters;
export const isSort = (value: string): value is Sort => value in text.gallery.sorts;

export const canRetry = (photo: Photo): boolean => photo.outcome !== null && photo.file !== null && messageOf(photo.outcome.code).retry;

/** Of several people some may be answered and some unsure: such a photo fits both filters, and counts as answered. */
const MATCHES: Record<Filter, (photo: Photo) => boolean> = {
  all: () => true,
  answered: (photo) => photo.outcome?.code === "ok",
  unsure: (photo) => photo.outcome?.code === "unsure" || answersOf(photo.outcome).some(({ code }) => code === "unsure"),
  several: (photo) => (photo.outcome?.answer?.people.length ?? 0) > 1,
  refused: (photo) => photo.outcome !== null && !["ok", "unsure"].includes(photo.outcome.code),
  failed: canRetry,
  working: (photo) => photo.outcome === null,
};

/** Not the answer's `confidence`, which is 0 where the model is unsure. */
const confidence = ({ outcome }: Photo, missing: number): number => shareOf(outcome) ?? missing;
const outcome = ({ outcome }: Photo): string => {
  if (!outcome) return "~";
  if (outcome.answer?.prediction) return labelOf(outcome.answer.prediction);
  return answersOf(outcome).length > 0 ? summary(outcome) : messageOf(outcome.code).short;
};

/** Made once: to make one for each comparison takes longer than the comparison. */
const collator = new Intl.Collator(undefined, { numeric: true });

const ORDERS: Record<Sort, (a: Photo, b: Photo) => number> = {
  added: (a, b) => a.id - b.id,
  name: (a, b) => collator.compare(a.name, b.name),
  confidence: (a, b) => confidence(b, -1) - confidence(a, -1),
  unsure: (a, b) => confidence(a, 2) - confidence(b, 2),
  outcome: (a, b) => collator.compare(outcome(a), outcome(b)),
};

export function arrange(photos: readonly Photo[], { filter, sort, threshold }: Arrangement): Photo[] {
  return photos
    .map((photo) => ({ photo, seen: asIf(photo, threshold) }))
    .filter(({ seen }) => MATCHES[filter](seen))
    .sort((a, b) => ORDERS[sort](a.seen, b.seen))
    .map(({ photo }) => photo);
}

/** The photos before and after one, in the order that the gallery shows; among all when the gallery does not show it. */
export function neighbours(photos: readonly Photo[], arrangement: Arrangement, id: number) {
  const shown = arrange(photos, arrangement);
  const order = shown.some((photo) => photo.id === id) ? shown : photos;
  const place = order.findIndex((photo) => photo.id === id);
  return { previous: order[place - 1], next: order[place + 1], place: place + 1, count: order.length };
}

export interface Counts {
  done: number;
  answered: number;
  unsure: number;
  /** Done without either. */
  without: number;
  /** Of the people in photos of several who have an answer each; zero where there are no such photos. */
  people: { all: number; answered: number; unsure: number };
}

export function count(photos: readonly Photo[]): Counts {
  const of = (filter: Filter) => photos.filter(MATCHES[filter]).length;
  const answered = of("answered");
  const without = of("refused");
  const done = photos.length - of("working");
  const several = photos.filter(({ outcome }) => answersOf(outcome).length > 0);
  const people = several.flatMap(({ outcome }) => answersOf(outcome));
  return {
    done,
    answered,
    unsure: done - answered - without,
    without,
    people: {
      all: several.reduce((sum, { outcome }) => sum + (outcome?.answer?.people.length ?? 0), 0),
      answered: people.filter(({ prediction }) => prediction).length,
      unsure: people.filter(({ code }) => code === "unsure").length,
    },
  };
}
