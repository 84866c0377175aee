import { expect, test } from "vitest";
import { de as german } from "./de";
import { model as germanModel } from "./de/model";
import { en as english } from "./en";
import { model as englishModel } from "./en/model";
import { chooseLanguage } from "./language";

const en = { ...english, model: englishModel };
const de = { ...german, model: germanModel };

/** Each sentence by its place in the table: its kind, and for those made from facts, how many facts. */
function sentences(table: object, place = ""): Map<string, string> {
  return new Map(
    Object.entries(table).flatMap(([key, value]: [string, unknown]): [string, string][] => {
      const here = `${place}/${key}`;
      if (typeof value === "function") return [[here, `of ${value.length} facts`]];
      if (typeof value === "object" && value !== null) return [...sentences(value, here)];
      return [[here, value === "" ? "empty" : typeof value]];
    }),
  );
}

test("both languages have the same sentences, of the same facts", () => {
  const own = /^\/model\/groups\//; // names that come from the service are translated where they are known
  const of = (table: object) => new Map([...sentences(table)].filter(([place]) => !own.test(place)));
  expect(of(de)).toEqual(of(en));
  expect(of(en).size).toBeGreaterThan(250);
});

test("the facts are in the sentences of both languages", () => {
  for (const { advice, title } of [...Object.values(en.messages), ...Object.values(de.messages)]) expect(`${title} ${advice}`).not.toMatch(/\$|undefined/);
  for (const [code, { advice }] of Object.entries(en.messages)) {
    const named = (words: string) => words.match(/\{\w+\}/g) ?? [];
    expect(named(de.messages[code as keyof typeof de.messages].advice)).toEqual(named(advice));
  }
});

test.each([
  [null, ["de-AT", "en"], "de"],
  [null, ["fr", "de", "en"], "de"],
  [null, ["en-US", "de"], "en"],
  [null, ["fr-FR"], "en"],
  [null, [], "en"],
  ["en", ["de"], "en"],
  ["de", ["en"], "de"],
  ["constructor", ["de"], "de"],
])("chosen %s, and a browser in %j: %s", (chosen, preferred, language) => expect(chooseLanguage(chosen, preferred)).toBe(language));
