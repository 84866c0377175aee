import { text } from "@/text";
import { messageOf } from "@/text/messages";
import { leaning } from "./outcome";
import type { Photo } from "./session";

export type Filter = keyof typeof text.gallery.filters;
export type Sort = keyof typeof text.gallery.sorts;

/** How many photos are shown: also the order of Previous and Next. */
export interface Arrangement {
  layout: "grid" | "table";
  filter: Filter;
  sort: Sort;
}

export const AS_ADDED: Arrangement = { layout: "grid", filter: "all", sort: "added" };

export const isFilter = (value: string): value is Filter => value in text.gallery.filters;
export const isSort = (value: string): value is Sort => value in text.gallery.sorts;

export const canRetry = (photo: Photo): boolean => photo.outcome !== null && photo.file !== null && messageOf(photo.outcome.code).retry;

const MATCHES: Record<Filter, (photo: Photo) => boolean> = {
  all: () => true,
  answered: (photo) => photo.outcome?.code === "ok",
  unsure: (photo) => photo.outcome?.code === "unsure",
  refused: (photo) => photo.outcome !== null && !["ok", "unsure"].includes(photo.outcome.code),
  failed: canRetry,
  working: (photo) => photo.outcome === null,
};

/** Of the more probable label, also where the model is unsure: there `confidence` is 0. */
const confidence = ({ outcome }: Photo, missing: number): number => leaning(outcome)?.share ?? missing;
const outcome = (photo: Photo): string => photo.outcome?.answer?.prediction ?? (photo.outcome ? messageOf(photo.outcome.code).short : "~");

const ORDERS: Record<Sort, (a: Photo, b: Photo) => number> = {
  added: (a, b) => a.id - b.id,
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  confidence: (a, b) => confidence(b, -1) - confidence(a, -1),
  unsure: (a, b) => confidence(a, 2) - confidence(b, 2),
  outcome: (a, b) => outcome(a).localeCompare(outcome(b)),
};

export function arrange(photos: readonly Photo[], { filter, sort }: Arrangement): Photo[] {
  return photos.filter(MATCHES[filter]).sort(ORDERS[sort]);
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
}

export function count(photos: readonly Photo[]): Counts {
  const of = (filter: Filter) => photos.filter(MATCHES[filter]).length;
  return { done: photos.length - of("working"), answered: of("answered"), unsure: of("unsure"), without: of("refused") };
}
