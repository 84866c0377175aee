import { choose, expect, expectAccessible, file, heading, open, test } from "./page";

test("keyboard only: choose a photo, read the answer, open the details and the service's state", async ({ page }) => {
  await open(page);
  const press = async (key: string, until: () => Promise<boolean>) => {
    for (let count = 0; count < 20 && !(await until()); count++) await page.keyboard.press(key);
  };
  const focused = (name: RegExp) => async () =>
    name.test(await page.locator(":focus:not(body)").evaluateAll(([element]) => element?.getAttribute("aria-label") ?? element?.textContent ?? ""));
  const chosen = page.waitForEvent("filechooser");
  await press("Tab", focused(/Drop photos here/));
  await page.keyboard.press("Enter");
  await (await chosen).setFiles(file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  await expect(heading(page, "person.jpg")).toBeFocused();
  await press("Tab", focused(/^Details/));
  await page.keyboard.press("Enter");
  await expect(page.getByText(/person-detector@/)).toBeVisible();
  await press("Shift+Tab", focused(/^Service:/));
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("The service", { exact: true })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByLabel("The service", { exact: true })).toBeHidden();
  await expect.poll(focused(/^Service:/)).toBe(true); // the focus returns a moment after the list is hidden
});

test("at 360 pixels no state scrolls sideways", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  const expectNoSideways = async () => expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await open(page);
  await expectNoSideways();
  await choose(page, file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  await expectNoSideways();
  await expectAccessible(page);
  await choose(page, file("person.jpg"), file("two.jpg"));
  await expect(heading(page, "2 photos")).toBeVisible();
  await expectNoSideways();
  await page.getByRole("radio", { name: "Table" }).click();
  await expectNoSideways();
  await expectAccessible(page);
});

test("dark mode, from the system and from the button", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await open(page);
  await expectAccessible(page);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.getByRole("button", { name: "Light colours" }).click();
  expect(await ground()).not.toBe(dark);
  await page.getByRole("button", { name: "Dark colours" }).click();
  expect(await ground()).toBe(dark);
  await choose(page, file("two.jpg"));
  await expect(heading(page, "More than one person in this photo")).toBeVisible();
  await expectAccessible(page);
});

test("with reduced motion nothing moves", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.route("**/predict", () => undefined); // never answered
  await open(page);
  await choose(page, file("person.jpg"));
  await expect(heading(page, "Looking at the photo")).toBeVisible();
  expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
});

test("links open the sections, and nothing is stored", async ({ page, context }) => {
  await page.goto("/#how-it-works");
  await expect(page.locator("#how-it-works")).toBeInViewport();
  await choose(page, file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  expect(await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length])).toEqual([0, 0, 0]);
  expect(await context.cookies()).toEqual([]);
});
