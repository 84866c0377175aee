import { expect, test } from "vitest";
import { LITTLE, strengths, strongest } from "./heat";

test("where most of what speaks for the answer is, in thirds of the frame", () => {
  const top = [
    [0, 2, 0],
    [0, 0.2, 0],
    [-3, 0, 0],
    [0, 0, 0],
  ];
  expect(strongest({ changes: top })).toEqual({ down: 0, across: 1 });
  expect(strongest({ changes: [[0, 0, 0, 0, 0, 0, 1]] })).toEqual({ down: 1, across: 2 });
  expect(strongest({ changes: [[1]] })).toEqual({ down: 1, across: 1 });
});

test("small changes are not blown up into something to see", () => {
  expect(strongest({ changes: [[LITTLE / 2, 0]] })).toBeNull();
  expect(strengths({ changes: [[LITTLE / 2, 0]] })).toEqual([[0.5, 0]]);
});

test("the strongest change has the whole colour, in either direction", () => {
  expect(strengths({ changes: [[1, -2], [0.5, 0]] })).toEqual([
    [0.5, -1],
    [0.25, 0],
  ]);
});
