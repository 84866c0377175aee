import { expect, test, vi } from "vitest";
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

test("of dropped photos none is asked whether it is a folder; with anything else among them, each is", async () => {
  const drop = (...names: string[]) => {
    const files = names.map((name) => new File(["x"], name));
    const items = files.map((file) => ({ kind: "file", webkitGetAsEntry: vi.fn(() => null), getAsFile: () => file }));
    const event = Object.assign(new Event("drop"), { dataTransfer: { files, items } });
    return { event, asked: () => items.filter(({ webkitGetAsEntry }) => webkitGetAsEntry.mock.calls.length > 0).length };
  };
  const namesOf = async (event: Event) => (await filesOf(event)).map((file) => ("name" in file ? file.name : null));
  const photos = drop("a.jpg", "b.heic");
  expect(await namesOf(photos.event)).toEqual(["a.jpg", "b.heic"]);
  expect(photos.asked()).toBe(0);
  const mixed = drop("a.jpg", "holiday");
  expect(await namesOf(mixed.event)).toEqual(["a.jpg", "holiday"]);
  expect(mixed.asked()).toBe(2);
});
