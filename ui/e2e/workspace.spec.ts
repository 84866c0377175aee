import { readFileSync } from "node:fs";
import { answered, choose, expect, expectAccessible, file, heading, many, open, STATUS, test } from "./page";

// What is lost, and what is not: at every step, back and forth, after a reload, and when something breaks.

test.use({ expectedErrors: STATUS });

test.describe("with quick answers", () => {
  test.beforeEach(async ({ page }) => {
    await page.route("**/predict?*", (route) => route.fulfill(answered("ok")));
    await open(page);
  });

  test("on a phone the answer is in sight at once", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 664 });
    await choose(page, file("person.jpg"));
    await expect(heading(page, "male presentation")).toBeInViewport({ ratio: 1 });
    await expect(page.getByLabel("Probabilities")).toBeInViewport({ ratio: 1 });
    await expect(page).toHaveTitle("male 97.0% · person.jpg · Gender presentation");
    await expectAccessible(page);
  });

  test("from a photo, Back and All photos return to its place in the gallery, with the focus", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 664 });
    await choose(page, ...many());
    await expect(heading(page, "20 photos")).toBeVisible();
    const last = page.locator("[data-photo]").last();
    for (const back of [() => page.goBack(), () => page.getByRole("link", { name: "All photos" }).click()]) {
      await last.click();
      await expect(heading(page, "19.jpg")).toBeFocused();
      await back();
      await expect(last).toBeFocused();
      await expect(last).toBeInViewport();
    }
  });

  test("of hundreds of photos, all are drawn, and Back returns to the last", async ({ page }) => {
    const buffer = readFileSync(file("dot.png"));
    const names = Array.from({ length: 300 }, (_, index) => `${1000 + index}.png`);
    await page.getByLabel("Photos", { exact: true }).setInputFiles(names.map((name) => ({ name, mimeType: "image/png", buffer })));
    await expect(heading(page, "300 photos")).toBeVisible();
    const links = page.locator("[data-photo]");
    await expect(links).toHaveCount(300);
    await page.getByRole("radio", { name: "Table" }).click();
    await expect(links).toHaveCount(300);
    await links.last().click();
    await expect(heading(page, "1299.png")).toBeFocused();
    await page.goBack();
    await expect(links.last()).toBeFocused();
    await expect(links.last()).toBeInViewport();
  });

  test("links lead back to the answer, and the API opens beside the page", async ({ page }) => {
    await choose(page, file("person.jpg"));
    await page.getByRole("link", { name: "nothing to decide by" }).click();
    await expect(page.locator("#what-it-is")).toBeInViewport();
    await page.goBack();
    await expect(heading(page, "male presentation")).toBeVisible();
    const beside = page.waitForEvent("popup");
    await page.getByRole("link", { name: "API, opens in a new tab" }).click();
    await (await beside).close();
    await expect(heading(page, "male presentation")).toBeVisible();
  });

  test("nothing is lost by Back, the logo, another photo, or a reload", async ({ page }) => {
    await choose(page, file("person.jpg"));
    await expect(heading(page, "male presentation")).toBeVisible();
    await page.goBack();
    await page.getByRole("link", { name: "Your photo is still here" }).click();
    await expect(heading(page, "male presentation")).toBeVisible();
    await page.getByRole("link", { name: "Gender presentation: start" }).click();
    await choose(page, file("two.jpg"));
    await expect(heading(page, "two.jpg")).toBeVisible();
    await expect(heading(page, "male presentation")).toBeVisible();
    await page.reload();
    await expect(heading(page, "male presentation")).toBeVisible();
    await expect(page.getByText("The photo was not kept, only its answer.")).toBeVisible();
    await expectAccessible(page);
    await page.getByRole("link", { name: "person.jpg" }).click();
    await expect(heading(page, "person.jpg")).toBeVisible();
  });

  test("filter, order and layout of the gallery are there after a reload, and a table's rows by Tab and by search", async ({ page }) => {
    await choose(page, ...many());
    await expect(heading(page, "20 photos")).toBeVisible();
    await page.getByLabel("Show").selectOption("Answered");
    await page.getByLabel("Sort").selectOption("Name");
    await page.getByRole("radio", { name: "Table" }).click();
    await page.reload();
    await expect(page.getByRole("rowheader")).toHaveCount(20);
    await expect(page.getByLabel("Show")).toHaveValue("answered");
    await expect(page.getByLabel("Sort")).toHaveValue("name");
    // Rows out of sight are not drawn, and are there all the same.
    const found = await page.evaluate(() => (window as unknown as { find: (text: string) => boolean }).find("19.jpg"));
    expect(found).toBe(true);
    await page.getByRole("link", { name: "18.jpg" }).focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await expect(page.getByRole("link", { name: "19.jpg" })).toBeFocused();
  });

  test("photos are kept when the visitor wants it, and forgotten when not", async ({ page }) => {
    await page.getByLabel("Keep the photos here, too").check();
    await choose(page, file("person.jpg"));
    await expect(heading(page, "male presentation")).toBeVisible();
    await page.reload();
    await expect(page.getByRole("img", { name: "person.jpg" })).toBeVisible();
    await page.getByLabel("Keep the photos here, too").uncheck();
    await page.reload();
    await expect(page.getByText("The photo was not kept, only its answer.")).toBeVisible();
  });

  test("of a folder, the photos are taken, also a second time", async ({ page }) => {
    await page.getByLabel("Folder of photos").setInputFiles(file("many"));
    await expect(heading(page, "20 photos")).toBeVisible();
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByLabel("Folder of photos").setInputFiles(file("many"));
    await expect(heading(page, /20 photos$/)).toBeVisible();
  });

  test("Clear can be undone", async ({ page }) => {
    await choose(page, ...many().slice(0, 3));
    await expect(heading(page, "3 photos")).toBeVisible();
    await page.getByRole("button", { name: "Clear" }).click();
    await expect(heading(page, "No photos yet")).toBeVisible();
    await expect(page.getByRole("button", { name: "Undo" })).toBeFocused();
    await expectAccessible(page);
    await page.keyboard.press("Enter");
    await expect(heading(page, "3 photos")).toBeFocused();
  });

  test("the camera: room around its buttons, Escape closes it, and the focus returns", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 664 });
    await page.getByRole("button", { name: "Use the camera" }).click();
    await expect(page.getByRole("button", { name: "Take the photo" })).toBeEnabled();
    const bottom = (selector: string) => page.locator(selector).evaluate((element) => element.getBoundingClientRect().bottom);
    const { y } = (await page.getByRole("button", { name: "Take the photo" }).boundingBox()) ?? { y: 0 };
    expect(y - (await bottom("video"))).toBeGreaterThanOrEqual(8);
    expect(await page.locator("video").evaluate((video) => getComputedStyle(video).transform)).toBe("matrix(-1, 0, 0, 1, 0, 0)");
    await expect(page.getByRole("button", { name: "Other camera" })).toBeVisible(); // there are two
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toBeHidden();
    await expect(page.getByRole("button", { name: "Use the camera" })).toBeFocused();
  });
});

test.describe("when something breaks", () => {
  test.use({ expectedErrors: new RegExp(`${STATUS.source}|ChunkError`) });

  test("an answer with a code that the page does not know is shown, and the others stay", async ({ page }) => {
    const codes = ["ok", "too_dark"];
    await page.route("**/predict?*", (route) => route.fulfill(answered(codes.shift() ?? "ok")));
    await open(page);
    await choose(page, file("person.jpg"));
    await expect(heading(page, "male presentation")).toBeVisible();
    await choose(page, file("two.jpg"));
    await expect(heading(page, "The service gave an answer that this page does not know")).toBeVisible();
    await page.getByRole("link", { name: "person.jpg" }).click();
    await expect(heading(page, "male presentation")).toBeVisible();
  });

  test("parts of the page that are gone since a deployment: the rest stays, and a reload loses no photo", async ({ page }) => {
    await page.route("**/predict?*", (route) => route.fulfill(answered("ok")));
    await page.route(/assets\/(Camera|Gallery)-.*\.js/, (route) => route.fulfill({ status: 404 }));
    await open(page);
    await page.getByRole("button", { name: "Use the camera" }).click();
    await expect(heading(page, "This part of the page could not be loaded")).toBeVisible();
    await page.keyboard.press("Escape");
    await choose(page, file("person.jpg"), file("two.jpg"));
    await expect(heading(page, "This part of the page could not be loaded")).toBeVisible();
    await expectAccessible(page);
    await page.unroute(/assets\/(Camera|Gallery)-.*\.js/);
    await page.getByRole("button", { name: "Reload, and keep everything" }).click();
    await expect(heading(page, "2 photos")).toBeVisible();
    await page.getByRole("link", { name: /person\.jpg/ }).click();
    await expect(page.getByRole("img", { name: "person.jpg" })).toBeVisible();
  });

  test("Try again keeps the focus", async ({ page }) => {
    let broken = true;
    const fault = { error: "broken", detail: "broken", code: "internal", request_id: "made-up" };
    await page.route("**/predict?*", (route) => route.fulfill(broken ? { status: 500, json: fault } : answered("ok")));
    await open(page);
    await choose(page, file("person.jpg"));
    await expect(heading(page, "Something broke in the service")).toBeVisible();
    broken = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(heading(page, "male presentation")).toBeFocused();
  });
});

test("the browser asks before photos in work are left, and not afterwards", async ({ page }) => {
  let answer: (() => void) | undefined;
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route("**/predict?*", (route) => held.then(() => route.fulfill(answered("ok"))));
  await open(page);
  await choose(page, file("person.jpg"));
  await expect(heading(page, "Looking at the photo")).toBeVisible();
  await heading(page, "Looking at the photo").click(); // browsers ask only those who have used the page
  const asked = page.waitForEvent("dialog");
  const leaving = page.evaluate(() => location.reload());
  await (await asked).dismiss();
  await leaving;
  answer?.();
  await expect(heading(page, "male presentation")).toBeVisible();
  await page.reload();
  await expect(heading(page, "male presentation")).toBeVisible();
});

test.describe("on a touch screen", () => {
  test.use({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 664 } });

  test("nothing is said about dropping and keys", async ({ page }) => {
    await open(page);
    await expect(page.getByRole("button", { name: "Choose photos" })).toBeVisible();
    await expect(page.getByText(/Drop|Ctrl/).filter({ visible: true })).toHaveCount(0);
    expect(await page.getByLabel("Photos", { exact: true }).getAttribute("accept")).toContain("image/*");
    await expectAccessible(page);
  });
});

test("the person who was chosen and an open \"Why?\" are there after Back and after a reload", async ({ page }) => {
  await open(page);
  await page.getByLabel("Keep the photos here, too").check();
  await choose(page, file("two.jpg"));
  await page.getByRole("group", { name: "People in the photo" }).getByRole("button", { name: /^Person 2: / }).click();
  await expect(heading(page, /^Person 2: /)).toBeVisible();
  await choose(page, file("person.jpg"));
  await page.getByRole("button", { name: "Why?" }).click();
  const map = page.getByRole("img", { name: /^Heat map: / });
  await expect(map).toBeVisible();
  await page.reload();
  await expect(map).toBeVisible();
  await expect(heading(page, "person.jpg")).toBeFocused(); // as on every page that opens
  await page.getByRole("link", { name: "All photos" }).click();
  await page.getByRole("link", { name: /two\.jpg/ }).click();
  await expect(heading(page, /^Person 2: /)).toBeVisible();
  await page.reload();
  await expect(heading(page, /^Person 2: /)).toBeVisible();
  await page.goBack();
  await page.goBack();
  await page.getByRole("button", { name: "Hide it" }).click();
  await page.reload();
  await expect(page.getByRole("button", { name: "Why?" })).toBeVisible();
  await expect(map).toBeHidden();
});
