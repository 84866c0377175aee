import { expect, test } from "vitest";
import openapi from "../../../openapi.json";
import { MESSAGES, percent, sureness } from "./messages";
import type { PageProblem } from "./outcome";

const OF_THE_PAGE: Record<PageProblem, true> = {
  file_too_large: true,
  empty_file: true,
  unreadable_file: true,
  unreachable: true,
  unexpected_answer: true,
  cancelled: true,
};

test("each of the service's codes and each of the page's problems has its own message", () => {
  expect(Object.keys(MESSAGES).sort()).toEqual([...openapi.components.schemas.Code.enum, ...Object.keys(OF_THE_PAGE)].sort());
  const texts = Object.values(MESSAGES).map(({ title, advice }) => `${title} ${advice}`);
  expect(new Set(texts).size).toBe(texts.length);
});

test.each([
  [0.5, "50%"],
  [0.892, "89%"],
  [0.9949, "99%"],
  [0.9996, "99.9%"],
  [1, "100.0%"],
  [0.004, "0.4%"],
])("%f is shown as %s: never rounded up to certainty", (share, text) => expect(percent(share)).toBe(text));

test("confidence in words", () => {
  expect(sureness(0.95)).toBe("Quite sure");
  expect(sureness(0.75)).toBe("Fairly sure");
  expect(sureness(0.55)).toMatch(/^Barely sure/);
});
