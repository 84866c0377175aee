import { expect, test } from "vitest";
import { ticks } from "./Plot";
import { wilson } from "./wilson";

test("axes have about five round ticks, the last at or above the end", () => {
  expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(0.5, 1)).toEqual([0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  expect(ticks(0, 0.052)).toEqual([0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06]);
  expect(ticks(0, 0.005)).toEqual([0, 0.001, 0.002, 0.003, 0.004, 0.005]);
});

test("Wilson's intervals, as the service computes its own", () => {
  const { low, high } = wilson(5055 / 5332, 5332);
  expect([low.toFixed(4), high.toFixed(4)]).toEqual(["0.9418", "0.9537"]); // accuracy of the embedded classifier
  expect(wilson(1, 10)).toEqual({ low: expect.closeTo(0.7225, 3) as number, high: expect.closeTo(1) as number });
});
