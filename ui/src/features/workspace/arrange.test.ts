import { expect, test } from "vitest";
import { answer } from "@/testing/server";
import { arrange, AS_ADDED, count, neighbours, type Filter, type Sort } from "./arrange";
import { answered, problem, type Outcome } from "./outcome";
import type { Photo } from "./session";

const photo = (id: number, name: string, outcome: Outcome | null): Photo => {
  return { id, file: new File([], name), name, phase: outcome ? "done" : "queued", upload: null, thumbnail: null, outcome, resumesAt: null };
};
const PHOTOS = [
  photo(1, "b10.jpg", answered({ ...answer("ok"), probabilities: { female: 0.6, male: 0.4 } })),
  photo(2, "b9.jpg", answered({ ...answer("ok"), probabilities: { female: 0.1, male: 0.9 } })),
  photo(3, "a.jpg", answered(answer("no_person"))),
  photo(4, "c.jpg", problem("unreachable")),
  photo(5, "d.jpg", null),
  photo(6, "e.jpg", answered(answer("unsure"))),
];
const SEVERAL = photo(7, "f.jpg", answered(answer("ok, each person"))); // male, unsure, and one who was not asked about
const ids = (filter: Filter, sort: Sort) => arrange(PHOTOS, { ...AS_ADDED, filter, sort }).map(({ id }) => id);

test("filters", () => {
  expect(ids("answered", "added")).toEqual([1, 2]);
  expect(ids("unsure", "added")).toEqual([6]);
  expect(ids("refused", "added")).toEqual([3, 4]);
  expect(ids("failed", "added")).toEqual([4]);
  expect(ids("working", "added")).toEqual([5]);
});

test("orders; by confidence, unsure answers come before photos without probabilities", () => {
  expect(ids("all", "name")).toEqual([3, 2, 1, 4, 5, 6]);
  expect(ids("all", "confidence")).toEqual([2, 1, 6, 3, 4, 5]);
  expect(ids("all", "unsure")).toEqual([6, 1, 2, 3, 4, 5]);
});

test("unsure is counted as an answer of its own", () => {
  expect(count(PHOTOS)).toEqual({ done: 5, answered: 2, unsure: 1, without: 2, people: { all: 0, answered: 0, unsure: 0 } });
});

test("a photo of several people is counted once, fits each of its answers, and is as sure as the least sure of them", () => {
  const photos = [...PHOTOS, SEVERAL];
  expect(count(photos)).toEqual({ done: 6, answered: 3, unsure: 1, without: 2, people: { all: 3, answered: 1, unsure: 1 } });
  const shown = (filter: Filter, sort: Sort) => arrange(photos, { ...AS_ADDED, filter, sort }).map(({ id }) => id);
  expect(shown("answered", "added")).toEqual([1, 2, 7]);
  expect(shown("unsure", "added")).toEqual([6, 7]);
  expect(shown("several", "added")).toEqual([7]);
  expect(shown("answered", "confidence")).toEqual([2, 1, 7]);
});

test("Previous and Next follow the order and the filter of the gallery", () => {
  const of = (filter: Filter, sort: Sort, id: number) => {
    const { previous, next, place, count } = neighbours(PHOTOS, { ...AS_ADDED, filter, sort }, id);
    return [previous?.id, next?.id, place, count];
  };
  expect(of("all", "name", 2)).toEqual([3, 1, 2, 6]);
  expect(of("answered", "confidence", 2)).toEqual([undefined, 1, 1, 2]);
  expect(of("answered", "added", 3)).toEqual([2, 4, 3, 6]); // no longer among those shown
});
