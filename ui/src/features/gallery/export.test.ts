import { parse } from "papaparse";
import { expect, test } from "vitest";
import { answer } from "@/testing/server";
import { toCsv, toJson } from "./export";
import { answered, problem } from "../workspace/outcome";
import type { Photo } from "../workspace/session";

const photo = (name: string, outcome: Photo["outcome"]): Photo => {
  return { id: 1, file: new File([], name), name, phase: outcome ? "done" : "sending", upload: null, thumbnail: null, outcome, resumesAt: null };
};
const PHOTOS = [
  photo("a.jpg", answered(answer("ok"))),
  photo('two, "friends".jpg', answered(answer("multiple_people"))),
  photo("=HYPERLINK(1).jpg", problem("file_too_large")),
  photo("later.jpg", null),
  photo("maybe.jpg", answered(answer("unsure"))),
];

test("CSV has a quoted row for each photo, also the unfinished, and no formula that a spreadsheet would run", () => {
  const [head, first, second, third, fourth, fifth, ...rest] = toCsv(PHOTOS).split("\r\n");
  expect(head).toMatch(/^\ufefffilename,code,prediction,confidence,/);
  expect(first).toMatch(/^a\.jpg,ok,male,0\.892,0\.108,0\.892,1,,/);
  expect(second).toMatch(/^"two, ""friends""\.jpg",multiple_people,,,,,3,/);
  expect(third).toMatch(/^"'=HYPERLINK\(1\)\.jpg",file_too_large,/);
  expect(fourth).toMatch(/^later\.jpg,unfinished,,,,,,There was no answer yet/);
  expect(fifth).toMatch(/^maybe\.jpg,unsure,,,0\.466,0\.534,1,The model is not sure/);
  expect(rest).toEqual([""]);
});

test.each(["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", '=1,"quoted"', "=1\n=2"])("a file name is never a formula: %j", (name) => {
  const { data } = parse<string[]>(toCsv([photo(name, null)]));
  expect(data[1]?.[0]).toBe(`'${name}`);
});

test("a number is a number, also where text of the same look would be a formula", () => {
  const { people: [person], ...rest } = answer("ok");
  const left = { ...rest, people: [{ ...person, box: [-0.5, 0, 1, 1] as [number, number, number, number], score: 1 }] };
  expect(toCsv([photo("a.jpg", answered(left))])).toContain(",1,-0.5,0,1,1\r\n");
});

test("CSV has a row for each of several people, with their frame, also for those whom the service did not answer about", () => {
  const [, first, second, third, ...rest] = toCsv([photo("us.jpg", answered(answer("ok, each person")))]).split("\r\n");
  expect(first).toMatch(/^us\.jpg,ok,male,0\.985,0\.015,0\.985,3,,.*,1,0\.31,0\.08,0\.72,0\.97$/);
  expect(second).toMatch(/^us\.jpg,unsure,,,0\.466,0\.534,3,The model is not sure.*,2,0\.7,0\.21,0\.93,0\.9$/);
  expect(third).toMatch(/^us\.jpg,not_asked,,,,,3,The service looks at the largest people.*,3,0\.02,0\.4,0\.12,0\.71$/);
  expect(rest).toEqual([""]);
});

test("JSON has the service's answers, and the same keys for photos that never reached it", () => {
  const items = JSON.parse(toJson(PHOTOS)) as Record<string, unknown>[];
  expect(items[0]).toEqual({ filename: "a.jpg", ...answer("ok") });
  expect(items).toHaveLength(5);
  expect(Object.keys(items[2] ?? {}).sort()).toEqual(Object.keys(items[0] ?? {}).sort());
  expect(Object.keys(items[3] ?? {}).sort()).toEqual(Object.keys(items[0] ?? {}).sort());
});
