import { act, renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { useCountdown } from "./useCountdown";

afterEach(() => vi.useRealTimers());

test("a wait that begins long after the page was opened is never shown longer than it is", () => {
  vi.useFakeTimers();
  const shown: number[] = [];
  const { rerender } = renderHook(({ until }: { until: number | null }) => shown.push(useCountdown(until)), { initialProps: { until: null as number | null } });
  vi.advanceTimersByTime(7000);
  rerender({ until: Date.now() + 3000 });
  for (let step = 0; step < 14; step++) act(() => void vi.advanceTimersByTime(250));
  expect([...new Set(shown)]).toEqual([0, 3, 2, 1]);
  expect(shown.at(-1)).toBe(0);
});
