import { expect, test } from "vitest";
import { answer } from "@/testing/server";
import { answered, problem } from "./outcome";
import { answersOf, lineOf, meaningOf, shareOf, summary } from "./people";

const EACH = answered(answer("ok, each person"));

test("several people: who has which answer, and how many were left out", () => {
  expect(answersOf(EACH).map((person, index) => lineOf(person, index + 1))).toEqual(["Person 1: male 98.5%", "Person 2: unsure"]);
  expect(summary(EACH)).toBe("3 people: 1 male, 1 unsure, 1 not asked about");
  expect(meaningOf(EACH)).toBe("Several people, an answer for the largest");
  expect(shareOf(EACH)).toBe(0.534);
});

test("predictions come before what is unsure, and equal ones are counted", () => {
  const { people, ...rest } = answer("ok, each person");
  const [sure, unsure] = people;
  if (!sure || !unsure) throw new Error("the example has two");
  const woman = { ...sure, prediction: "female" };
  expect(summary(answered({ ...rest, people: [unsure, sure, woman, unsure] }))).toBe("4 people: 1 female, 1 male, 2 unsure");
});

test("an answer of a newer service, for one of the people, has its code as its word", () => {
  const { people, ...rest } = answer("ok, each person");
  const strange = { ...people[1], code: "too_dark" } as unknown as (typeof people)[number];
  expect(summary(answered({ ...rest, people: [...people.slice(0, 1), strange] }))).toBe("2 people: 1 male, 1 too_dark");
});

test("an answer about the photo as a whole has no people of its own: one person, a refusal of an older service, none", () => {
  const one = answer("ok");
  const asked = { ...one, people: one.people.map((person) => ({ ...one, ...person, probabilities: one.probabilities ?? {} })) };
  for (const outcome of [answered(asked), answered(answer("multiple_people")), answered(answer("unsure")), problem("unreachable"), null]) {
    expect(answersOf(outcome)).toEqual([]);
  }
  expect(shareOf(answered(answer("unsure")))).toBe(0.534);
  expect(shareOf(answered(answer("multiple_people")))).toBeNull();
});
