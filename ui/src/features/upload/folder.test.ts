import { expect, test } from "vitest";
import { photosOf } from "./folder";

const file = (name: string, path = "", type = "") => Object.assign(new File(["x"], name, { type }), { path });

test("of a folder only photos are taken, of single files all", () => {
  const inFolder = ["a.JPG", "b.heic", ".DS_Store", "Thumbs.db", "._a.jpg"].map((name) => file(name, `/trip/${name}`));
  const alone = [file("notes.pdf", "./notes.pdf"), file("c.jpg")];
  const typed = file("raw", "/trip/raw", "image/png");
  expect(photosOf([...inFolder, ...alone, typed]).map(({ name }) => name)).toEqual(["a.JPG", "b.heic", "notes.pdf", "c.jpg", "raw"]);
});
