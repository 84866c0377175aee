import { expect, test } from "vitest";
import { percent, rightOfHundred, sureness, SURENESS, wrongOneIn } from "./confidence";

test.each([
  [0.5, "50.0%"],
  [0.892, "89.2%"],
  [0.8996, "89.9%"],
  [0.979, "97.9%"],
  [0.9996, "99.9%"],
  [1, "99.9%"],
  [0.004, "0.4%"],
  [0, "0.1%"],
])("%f is shown as %s: never rounded up to certainty", (share, text) => expect(percent(share)).toBe(text));

test("both probabilities are rounded alike, and sum to 100", () => {
  for (const share of [0.5, 0.5004, 0.534, 0.69, 0.8955, 0.9795, 0.98, 0.99999]) {
    expect(parseFloat(percent(share)) + parseFloat(percent(1 - share))).toBeCloseTo(100);
  }
});

test("the words suit the figure that is shown: 69% is no coin toss, and 89.99% is shown and named below 90%", () => {
  expect(sureness(0.995)).toBe("Very sure");
  expect(sureness(0.962)).toBe("Quite sure");
  expect([percent(0.8999), sureness(0.8999)]).toEqual(["89.9%", "Rather unsure"]);
  expect([percent(0.9), sureness(0.9)]).toEqual(["90.0%", "Fairly sure"]);
  expect(sureness(0.69)).toBe("Unsure");
  expect(sureness(0.55)).toMatch(/coin toss/);
});

test("no word promises fewer mistakes than its confidence does", () => {
  for (const { from, wrong: [count, all] } of SURENESS) expect(Math.min(0.5, 1 - from)).toBeLessThanOrEqual(count / all + 1e-9);
});

test("of a hundred such answers, never all are right, and never more than the percentage says", () => {
  expect([1, 0.9996, 0.9895, 0.98, 0.619, 0.5, 0.3].map(rightOfHundred)).toEqual([99, 99, 98, 98, 61, 50, 30]);
});

test("how often such answers are wrong, in whole people", () => {
  expect(wrongOneIn(0.97)).toBe(33);
  expect(wrongOneIn(0.75)).toBe(4);
  expect(wrongOneIn(0.5)).toBe(2);
  expect(wrongOneIn(0.995)).toBeNull();
});
