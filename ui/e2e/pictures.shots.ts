import type { Page } from "@playwright/test";
import { choose, expect, file, heading, many, open, STATUS, test } from "./page";

test.use({ expectedErrors: STATUS, viewport: { width: 1200, height: 760 } });

const shoot = async (page: Page, name: string) => {
  await page.evaluate(() => document.fonts.ready);
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: `screenshots/${name}.jpg`, type: "jpeg", quality: 82, animations: "disabled" });
};

test("start", async ({ page }) => {
  await open(page);
  await shoot(page, "start");
});

test("one person", async ({ page }) => {
  await open(page);
  await choose(page, file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  await shoot(page, "answer");
});

test("several people, dark", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await open(page);
  await choose(page, file("two.jpg"));
  await expect(heading(page, /^2 people /)).toBeVisible();
  await shoot(page, "people");
});

test("many", async ({ page }) => {
  await open(page);
  await choose(page, ...many().slice(0, 8), file("cut.jpg"), file("document.jpg"));
  await expect(heading(page, "10 photos")).toBeVisible();
  await shoot(page, "many");
});

test("what an answer hangs on", async ({ page }) => {
  await open(page);
  await choose(page, file("person.jpg"));
  await page.getByRole("button", { name: "Why?" }).click();
  await expect(page.getByRole("img", { name: /^Heat map: / })).toBeVisible();
  await page.setViewportSize({ width: 1200, height: 1040 });
  await shoot(page, "why");
});

test("how good the models are, dark", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 1200, height: 900 });
  await page.goto("/model");
  await expect(heading(page, "How good it is")).toBeVisible();
  await shoot(page, "model");
});
