import { expect, test } from "vitest";
import type { ClassifierSplit } from "@/api/types";
import { CARDS } from "@/testing/server";
import { LEAST_ANSWERS, measuredOf, rangesOf, rightAt, type Measured } from "./measured";

const all = { value: 1, low: 1, high: 1 };
const split = (more: Partial<ClassifierSplit>): ClassifierSplit => ({ photos: 1000, answered: all, groups: {}, ...more });
const point = (threshold: number, coverage: number, risk: number) => ({ threshold, coverage, risk });
const bin = (low: number, answers: number, accuracy: number) => ({ low, high: low + 0.1, answers, confidence: low + 0.05, accuracy });

test("the curve counts from the surest answer on; between two of its points lie the answers of one confidence", () => {
  const ranges = rangesOf(split({ curve: [point(0.99, 0.3, 0), point(0.9, 0.6, 0.05), point(0.5, 1, 0.15)] }));
  expect(ranges.map(({ from, answers }) => [from, Math.round(answers)])).toEqual([
    [0.99, 300],
    [0.9, 300],
    [0.5, 400],
  ]);
  expect(ranges.map(({ right }) => right)).toEqual([1, expect.closeTo(0.9), expect.closeTo(0.7)]);
});

test("surer answers are never told as less often right than others: that is chance", () => {
  const ranges = rangesOf(split({ curve: null, reliability: [bin(0.5, 300, 0.6), bin(0.6, 300, 0.9), bin(0.7, 300, 0.8), bin(0.9, 300, 0.95)] }));
  expect(ranges.map(({ from, right }) => [from, right])).toEqual([
    [0.9, 0.95],
    [0.6, expect.closeTo(0.85)],
    [0.5, 0.6],
  ]);
});

test("few answers are told together with their neighbours, and too few not at all", () => {
  const [few] = [LEAST_ANSWERS / 2];
  const ranges = rangesOf(split({ curve: null, reliability: [bin(0.5, few, 0.5), bin(0.6, 300, 0.6), bin(0.8, few, 0.8), bin(0.9, few, 1)] }));
  expect(ranges.map(({ from, answers }) => [from, answers])).toEqual([
    [0.8, 200],
    [0.5, 400],
  ]);
  expect(rangesOf(split({ curve: null, reliability: [bin(0.9, LEAST_ANSWERS - 1, 1)] }))).toEqual([]);
  expect(rangesOf(split({}))).toEqual([]);
});

test("an answer is told by what was measured for the model that gave it, and for no other", () => {
  const measured: Measured = { classifier: "vit@2", minConfidence: 0.9, ranges: [{ from: 0.9, answers: 500, right: 0.99 }, { from: 0.6, answers: 500, right: 0.8 }] };
  expect(rightAt(measured, "vit@2", 0.97)).toBe(0.99);
  expect(rightAt(measured, "vit@2", 0.899)).toBe(0.8);
  expect(rightAt(measured, "vit@2", 0.5)).toBe(0.8); // below all that was measured
  expect(rightAt(measured, "vit@1", 0.97)).toBeNull();
  expect(rightAt(measured, undefined, 0.97)).toBeNull();
  expect(rightAt(null, "vit@2", 0.97)).toBeNull();
});

test("of a card: its classifier as answers name it, and its threshold", () => {
  const { name, revision, decision } = CARDS.classifier;
  expect(measuredOf(CARDS)).toMatchObject({ classifier: `${name}@${revision}`, minConfidence: decision["min_confidence"] });
  expect(measuredOf({ ...CARDS, classifier: { ...CARDS.classifier, metrics: null, decision: {} } })).toMatchObject({ ranges: [], minConfidence: 0 });
});
