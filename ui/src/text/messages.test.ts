import { expect, test } from "vitest";
import openapi from "../../openapi.json";
import { messageOf, MESSAGES, type PageProblem } from "./messages";

const OF_THE_PAGE: Record<PageProblem, true> = {
  file_too_large: true,
  empty_file: true,
  unreadable_file: true,
  unreachable: true,
  unexpected_answer: true,
  cancelled: true,
  not_kept: true,
};

test("each of the service's codes and each of the page's problems has its own message", () => {
  expect(Object.keys(MESSAGES).sort()).toEqual([...openapi.components.schemas.Code.enum, ...Object.keys(OF_THE_PAGE)].sort());
  const texts = Object.values(MESSAGES).map(({ title, advice }) => `${title} ${advice}`);
  expect(new Set(texts).size).toBe(texts.length);
});

test("a code that the page does not know has a message, too", () => {
  expect(messageOf("too_dark")).toMatchObject({ short: "too_dark", tone: "fault" });
  expect(messageOf("constructor").title).toMatch(/does not know/);
});
