// @vitest-environment node
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { curl, python } from "./program";

const NAME = `it's "a";b, $HOME.jpg`;

test("curl gets the whole name of the file, whatever is in it", () => {
  // The shell takes the words apart; what curl makes of its own quotes is in its manual (-F).
  const words = execFileSync("sh", ["-c", curl("http://x/predict", NAME).replace(/^curl/, "printf '%s\\n'")], { encoding: "utf8" });
  expect(words.trim().split("\n")).toEqual(["-F", `file=@"it's \\"a\\";b, $HOME.jpg"`, "http://x/predict"]);
});

test("Python has the name as a string", () => {
  expect(python("http://x/predict", NAME)).toContain(`open("it's \\"a\\";b, $HOME.jpg", "rb")`);
});
