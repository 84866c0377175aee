import { expect, test } from "vitest";
import { filesOf } from "./files";

test("all of many files come, in their order, and the page has its turns while they are looked at", async () => {
  const chosen = Array.from({ length: 500 }, (_, index) => new File(["x"], `${index}.jpg`));
  let looked = 0;
  for (const file of chosen) Object.defineProperty(file, "size", { get: () => ++looked });
  const input = document.createElement("input");
  Object.defineProperty(input, "files", { value: chosen });
  const change = new Event("change");
  input.dispatchEvent(change);
  const seen: number[] = [];
  const turns = setInterval(() => seen.push(looked), 0);
  const files = await filesOf(change);
  clearInterval(turns);
  expect(files.map((file) => ("name" in file ? file.name : null))).toEqual(chosen.map(({ name }) => name));
  expect(looked).toBe(500);
  expect(seen[0]).toBeLessThan(500);
});
