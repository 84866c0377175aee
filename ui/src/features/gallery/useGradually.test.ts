import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { STEP, useGradually } from "./useGradually";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const start = (count: number) => {
  const drawn: number[] = [];
  const { rerender } = renderHook(({ count }) => drawn.push(useGradually(count)), { initialProps: { count } });
  const all = () => {
    for (let step = 0; step < 30; step++) act(() => void vi.runOnlyPendingTimers());
    return drawn.at(-1);
  };
  return { drawn, rerender, all };
};
const steepest = (drawn: readonly number[]) => Math.max(...drawn.map((count, index) => count - (drawn[index - 1] ?? 0)));

test("of many, a few are drawn at a time, until all are", () => {
  const { drawn, all } = start(1000);
  expect(drawn).toEqual([STEP]);
  expect(all()).toBe(1000);
  expect(steepest(drawn)).toBe(STEP);
});

test("those added later, and those that a filter had hidden, come a few at a time, too", () => {
  const { drawn, rerender, all } = start(3);
  expect(all()).toBe(3);
  rerender({ count: 900 });
  expect(all()).toBe(900);
  rerender({ count: 7 });
  expect(all()).toBe(7);
  rerender({ count: 900 });
  expect(all()).toBe(900);
  expect(steepest(drawn)).toBeLessThanOrEqual(2 * STEP);
});
