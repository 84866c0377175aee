import { expect, test } from "vitest";
import { answer } from "@/testing/server";
import { arrange, AS_ADDED, count } from "./arrange";
import type { Measured } from "./measured";
import { answered, problem, type Outcome } from "./outcome";
import type { Photo } from "./session";
import { asIf, judgedOf, weigh } from "./threshold";

const photo = (id: number, outcome: Outcome | null): Photo => {
  return { id, file: null, name: `${id}.jpg`, phase: outcome ? "done" : "queued", upload: null, thumbnail: null, outcome, resumesAt: null };
};
const SURE = photo(1, answered(answer("ok"))); // male, 0.892
const UNSURE = photo(2, answered(answer("unsure"))); // male, 0.534
const EACH = photo(3, answered(answer("ok, each person"))); // male 0.985, unsure 0.534, and one who was not asked about
const OTHERS = [photo(4, answered(answer("no_person"))), photo(5, problem("unreachable")), photo(6, null)];

test("a threshold makes answers unsure, and unsure ones answers, in what is shown", () => {
  expect(asIf(SURE, 0.9).outcome).toMatchObject({ code: "unsure", answer: { prediction: null, probabilities: { male: 0.892 } } });
  expect(asIf(UNSURE, 0.5).outcome).toMatchObject({ code: "ok", answer: { prediction: "male", confidence: 0.534 } });
  expect(asIf(EACH, 0.5).outcome?.answer?.people).toMatchObject([{ prediction: "male" }, { prediction: "male", confidence: 0.534 }, {}]);
  expect(asIf(EACH, 0.99).outcome).toMatchObject({ code: "unsure", answer: { people: [{ code: "unsure" }, { code: "unsure" }, {}] } });
});

test("it changes nothing that the service answered, and nothing without probabilities", () => {
  const before = structuredClone(EACH.outcome);
  asIf(EACH, 0.99);
  expect(EACH.outcome).toEqual(before);
  for (const each of OTHERS) expect(asIf(each, 0.99)).toBe(each);
  expect(asIf(SURE, null)).toBe(SURE);
});

test("counts and filters follow it", () => {
  const photos = [SURE, UNSURE, EACH, ...OTHERS];
  expect(count(photos.map((each) => asIf(each, 0.9)))).toMatchObject({ answered: 1, unsure: 2, without: 2 });
  const shown = (threshold: number | null) => arrange(photos, { ...AS_ADDED, filter: "answered", threshold });
  expect(shown(null)).toEqual([SURE, EACH]);
  expect(shown(0.9)).toEqual([EACH]);
  expect(shown(0.5)).toEqual([SURE, UNSURE, EACH]);
});

test("how many answers there are, and how many of them are expected to be wrong", () => {
  const judged = judgedOf([SURE, UNSURE, EACH, ...OTHERS]);
  expect(judged.map(({ share }) => share)).toEqual([0.892, 0.534, 0.985, 0.534]);
  const own = weigh(judged, 0.8, null);
  expect(own).toMatchObject({ answered: 2, unsure: 2, measured: false });
  expect(own.wrong).toBeCloseTo((0.108 + 0.015) / 2);
  const ranges = [{ from: 0.95, answers: 500, right: 0.99 }, { from: 0.5, answers: 500, right: 0.9 }];
  const measured: Measured = { classifier: judged[0]?.classifier ?? "", minConfidence: 0.9, ranges };
  expect(weigh(judged, 0.8, measured)).toMatchObject({ answered: 2, measured: true, wrong: expect.closeTo((0.1 + 0.01) / 2) as number });
  expect(weigh(judged, 0.99, measured)).toMatchObject({ answered: 0, unsure: 4, wrong: null });
});
