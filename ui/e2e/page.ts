import AxeBuilder from "@axe-core/playwright";
import { test as base, expect, type Page } from "@playwright/test";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDER = process.env["PHOTOS"] ?? "";
export const file = (name: string): string => join(FOLDER, name);
export const many = (): string[] => readdirSync(file("many")).sort().map((name) => file(join("many", name)));

/** Every test fails when the page requests another origin or logs an unexpected console error. */
export const test = base.extend<{ expectedErrors: RegExp }>({
  expectedErrors: [/^$/, { option: true }],
  page: async ({ page, expectedErrors }, provide) => {
    const foreign: string[] = [];
    const said: string[] = [];
    let origin: string | null = null;
    page.on("request", (request) => {
      if (request.url().startsWith("blob:")) return;
      origin ??= new URL(request.url()).origin;
      if (new URL(request.url()).origin !== origin) foreign.push(request.url());
    });
    page.on("console", (message) => message.type() === "error" && said.push(message.text()));
    page.on("pageerror", (error) => said.push(error.message));
    await provide(page);
    expect(foreign).toEqual([]);
    expect(said.filter((text) => !expectedErrors.test(text))).toEqual([]);
  },
});
export { expect };

/** Logged by the browser for each 4xx and 5xx. */
export const STATUS = /Failed to load resource: (the server responded with a status of (4|5)\d\d|net::ERR_)/;

export const choose = (page: Page, ...names: string[]) => page.getByLabel("Photos", { exact: true }).setInputFiles(names);

export const open = async (page: Page) => {
  await page.goto("/");
  await expect(page.getByRole("button", { name: "Service: Ready" })).toBeVisible();
};

/** A made-up answer about one person, for `route.fulfill`. */
export const answered = (code: string, more: object = {}) => ({
  json: {
    prediction: code === "ok" ? "male" : null,
    confidence: code === "ok" ? 0.97 : 0,
    person_count: 1,
    probabilities: { male: 0.97, female: 0.03 },
    error: code === "ok" ? null : "No answer.",
    code,
    people: [{ box: [0.1, 0.1, 0.7, 1], score: 0.9 }],
    request_id: "made-up",
    model: { detector: "detector@1", classifier: "classifier@1" },
    ...more,
  },
});

export const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { name, exact: true });

export const expectAccessible = async (page: Page, axe = new AxeBuilder({ page })) => {
  const { violations } = await axe.analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
};

const SCREENS = [
  [390, "light"],
  [768, "dark"],
  [1440, "light"],
] as const;

/** On a phone, a tablet and a desktop, of which one is dark: what depends on that. */
export const expectAccessibleEverywhere = async (page: Page) => {
  for (const [width, colorScheme] of SCREENS) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await expectAccessible(page, new AxeBuilder({ page }).withRules(["color-contrast", "link-in-text-block", "scrollable-region-focusable"]));
  }
};
