import { readFileSync } from "node:fs";
import { choose, expect, expectAccessible, expectAccessibleEverywhere, file, heading, open, test } from "./page";

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
  await expect(heading(page, "3 photos")).toBeVisible();
  await expectNoSideways();
  await page.getByRole("radio", { name: "Table" }).click();
  await expectNoSideways();
  await expectAccessible(page);
  const name = `${"a long name ".repeat(6)}.jpg`;
  await page.getByLabel("Photos", { exact: true }).setInputFiles({ name, mimeType: "image/jpeg", buffer: readFileSync(file("person.jpg")) });
  await expect(heading(page, "4 photos")).toBeVisible();
  await page.getByRole("link", { name }).click();
  await expectNoSideways();
  await page.getByRole("link", { name: "Compare" }).click();
  await expect(heading(page, "Two answers side by side")).toBeVisible();
  await expectNoSideways();
});

test("at every width and in both colour schemes, every page is accessible, and none scrolls sideways", async ({ page }) => {
  test.slow(); // on a busy machine axe takes two seconds, and is asked two dozen times
  await page.emulateMedia({ reducedMotion: "reduce" }); // colours on their way are neither the old nor the new ones
  await open(page);
  await expectAccessibleEverywhere(page);
  await choose(page, file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  await expectAccessibleEverywhere(page);
  await choose(page, file("two.jpg"), file("nobody.jpg"));
  await expect(heading(page, "3 photos")).toBeVisible();
  await expectAccessibleEverywhere(page);
  await page.getByRole("radio", { name: "Table" }).click();
  await expectAccessibleEverywhere(page);
  await page.getByRole("link", { name: "two.jpg" }).click();
  await expect(heading(page, /^2 people /)).toBeVisible();
  await expectAccessibleEverywhere(page);
  await page.getByRole("link", { name: "Compare" }).click();
  await expect(heading(page, "Two answers side by side")).toBeVisible();
  await expectAccessibleEverywhere(page);
  for (const [address, name] of [["/how", "How it works"], ["/model", "How good it is"]] as const) {
    await page.goto(address);
    await expect(heading(page, name).first()).toBeVisible();
    await expectAccessibleEverywhere(page);
  }
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
  await expect(heading(page, /^2 people /)).toBeVisible();
  await expectAccessible(page);
});

test("with reduced motion nothing moves", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.route("**/predict?*", () => undefined); // never answered
  await open(page);
  await choose(page, file("person.jpg"));
  await expect(heading(page, "Looking at the photo")).toBeVisible();
  expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
});

test("a link opens its section", async ({ page }) => {
  await page.goto("/how#what-it-is");
  await expect(page.locator("#what-it-is")).toBeInViewport();
  await expect(page.locator("#what-it-is")).toBeFocused();
  await expect(page).toHaveTitle("How it works · Gender presentation");
  await expectAccessible(page);
});

test("the colours that were chosen are still there the next time, and the page can be installed", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "Dark colours" }).click();
  await page.reload();
  await expect(page.getByRole("button", { name: "Light colours" })).toBeVisible();
  const bars = await page.evaluate(() => [...document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]")].filter(({ media }) => matchMedia(media).matches).length);
  expect(bars).toBe(1);
  await expect(page.locator("meta[name=theme-color][data-of=dark]")).toHaveAttribute("media", "all");
  await expect(page.locator("meta[property^=og]")).toHaveCount(4);
  const manifest = await page.evaluate(async () => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=manifest]");
    return (await (await fetch(link?.href ?? "")).json()) as { icons: { src: string }[] };
  });
  for (const { src } of manifest.icons) expect((await page.request.get(src)).status()).toBe(200);
  const session = await page.context().newCDPSession(page);
  const { errors } = await session.send("Page.getAppManifest"); // also when the Content-Security-Policy refuses it
  expect(errors).toEqual([]);
});
