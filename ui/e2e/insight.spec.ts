import { answered, choose, expect, expectAccessible, file, heading, many, open, STATUS, test } from "./page";

// How sure, and why: the page about the models, measured confidence, the heat map, the threshold, comparing, paper, and the other language.

test.use({ expectedErrors: STATUS });

test("/model: the page for browsers, data for programs; figures with intervals, groups, plots, limits", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto("/model");
  await expect(heading(page, "How good it is")).toBeVisible();
  expect(await (await page.request.get("/model")).json()).toHaveProperty("classifier.metrics.test");
  await expect(page.getByText(/^\d\d\.\d% to \d\d\.\d%$/).first()).toBeVisible();
  await expect(page.getByRole("row", { name: /^70\+ \d+ / })).toBeVisible();
  await page.getByRole("combobox", { name: "By", exact: true }).selectOption("framing");
  await expect(page.getByRole("row", { name: /^head and shoulders \d+ / })).toBeVisible();
  await page.getByLabel("Measured on").selectOption({ label: "val_lfw: 2,640 photos" });
  await expect(page.getByRole("row", { name: /^lfw 2,640 / })).toBeVisible();
  for (const name of ["Confidence, and how often it is right", "What asking for more confidence costs"]) {
    await expect(page.getByRole("img", { name })).toBeVisible();
    await page.getByRole("figure").filter({ hasText: name }).getByText("The same as a table").click();
    await expect(page.getByRole("table", { name })).toBeVisible();
  }
  await expect(page.getByText(/must not be used for decisions about people/).first()).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await expectAccessible(page);
  // The browser's cache has the data of this address, too; Back shows the page all the same.
  await page.getByRole("link", { name: "Gender presentation: start" }).click();
  await page.goBack();
  await page.reload();
  await expect(heading(page, "The model")).toBeVisible();
});

test("without the models' figures, /model says so and can be tried again, and answers are told by the model's own measure", async ({ page }) => {
  let broken = true;
  await page.route("**/model", (route) => (broken && route.request().resourceType() === "fetch" ? route.fulfill({ status: 503, json: {} }) : route.fallback()));
  await page.route("**/predict?*", (route) => route.fulfill(answered("ok")));
  await open(page);
  await choose(page, file("person.jpg"));
  await expect(page.getByText(/^By its own measure, about 1 in 33 /)).toBeVisible();
  await page.getByRole("contentinfo").getByRole("link", { name: "The model" }).click();
  await expect(page.getByRole("alert")).toContainText("The service does not say what its models are");
  await expectAccessible(page);
  broken = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(heading(page, "How good it is")).toBeVisible();
});

test("an answer: what was measured at its confidence, and why it is as it is", async ({ page }) => {
  await open(page);
  await choose(page, file("person.jpg"));
  await expect(page.getByText(/^Of 100 test photos it was this sure of, about \d\d were right\. /)).toBeVisible();
  await page.getByRole("button", { name: "Why?" }).press("Enter");
  await expect(heading(page, "Why?")).toBeFocused();
  const map = page.getByRole("img", { name: /^Heat map: / });
  await expect(map).toBeVisible();
  const strongest = () => map.locator("rect").evaluateAll((cells) => Math.max(...cells.map((cell) => Number(cell.getAttribute("fill-opacity")))));
  const before = await strongest();
  expect(await map.locator("rect").count()).toBeGreaterThan(20);
  await expect(page.getByText(/which is where the model looks, not why/)).toBeVisible();
  await expectAccessible(page);
  await page.getByLabel("Strength of the colours").press("End");
  expect(await strongest()).toBeGreaterThan(before);
  await page.getByRole("button", { name: "Hide it" }).click();
  await expect(map).toBeHidden();
  await expect(page.getByRole("button", { name: "Why?" })).toBeFocused();

  // Another photo, and a service that is busy.
  let broken = true;
  await page.route("**/predict?explain=true", (route) => {
    const fault = { error: "busy", detail: "busy", code: "overloaded", request_id: "made-up" };
    return broken ? route.fulfill({ status: 503, json: fault }) : route.fallback();
  });
  await choose(page, file("turned.jpg"));
  await page.getByRole("button", { name: "Why?" }).click();
  await expect(page.getByRole("alert")).toContainText("The service is still busy.");
  await expectAccessible(page);
  broken = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(map).toBeVisible();
});

test("the gallery: how sure is sure enough, two answers side by side, and a report on paper", async ({ page }) => {
  const { classifier } = (await (await page.request.get("/model")).json()) as { classifier: { name: string; revision: string } };
  const model = { detector: "detector@1", classifier: `${classifier.name}@${classifier.revision}` };
  const sure = (male: number) => ({ confidence: male, probabilities: { male, female: 1 - male }, model });
  let confidence = 0.985;
  await page.route("**/predict?*", (route) => route.fulfill(answered("ok", sure(confidence))));
  await open(page);
  await choose(page, ...many().slice(0, 3));
  await expect(page.getByText("3 with an answer, 0 unsure, 0 without", { exact: true })).toBeVisible();
  confidence = 0.96;
  await choose(page, ...many().slice(3, 6));
  await expect(page.getByText("6 with an answer, 0 unsure, 0 without", { exact: true })).toBeVisible();
  await page.getByText("How sure is sure enough?").click();
  await expect(page.getByText(/^6 answers, 0 unsure; \d\.\d% of the answers expected to be wrong\.$/)).toBeVisible();
  await page.getByRole("slider").fill("97");
  await expect(page.getByText(/^3 answers, 3 unsure; 0\.\d% of the answers expected to be wrong\.$/)).toBeVisible();
  await expect(page.getByText("3 with an answer, 3 unsure, 0 without", { exact: true })).toBeVisible();
  await page.getByLabel("Show").selectOption("Unsure");
  await expect(page.locator("[data-photo]")).toHaveCount(3);
  await expectAccessible(page);
  await page.locator("[data-photo]").first().click();
  await expect(heading(page, "male presentation")).toBeVisible(); // what the service answered
  await page.getByRole("link", { name: "All photos" }).click();
  await page.getByRole("button", { name: "As the service answered" }).click();
  await expect(page.getByRole("slider")).toBeFocused();
  await expect(page.getByText("6 with an answer, 0 unsure, 0 without", { exact: true })).toBeVisible();
  await page.getByLabel("Show").selectOption("All photos");

  await page.locator("[data-photo]").first().click();
  await page.getByRole("link", { name: "Compare" }).click();
  await expect(heading(page, "Two answers side by side")).toBeFocused();
  await expect(page.getByText("Both answers are male; their confidence is 0.0% apart.")).toBeVisible();
  await page.getByLabel("Second photo").last().selectOption("03.jpg");
  await expect(page.getByText("Both answers are male; their confidence is 2.5% apart.")).toBeVisible();
  await expectAccessible(page);
  await page.reload(); // the address names both
  await expect(page.getByText("Both answers are male; their confidence is 2.5% apart.")).toBeVisible();

  await page.getByRole("link", { name: "All photos" }).click();
  await page.emulateMedia({ media: "print" });
  await expect(page.getByText(/^Made on \d+ /)).toBeVisible();
  await expect(page.getByText(`Models: ${model.classifier}, detector@1`)).toBeVisible();
  await expect(page.locator("[data-photo]")).toHaveCount(6);
  await expect(page.getByRole("button", { name: /Export|Clear|Add/ })).toHaveCount(0);
});

test.describe("in a German browser", () => {
  test.use({ locale: "de-AT" });

  test("the page is German, and English for those who choose it, with all answers kept", async ({ page }) => {
    await page.route("**/predict?*", (route) => route.fulfill(answered("ok")));
    await page.goto("/");
    await expect(page.getByRole("button", { name: "Dienst: Bereit" })).toBeVisible();
    await page.getByLabel("Fotos", { exact: true }).setInputFiles(file("person.jpg"));
    await expect(heading(page, "männlich im Ausdruck")).toBeVisible();
    await expect(page.getByLabel("Wahrscheinlichkeiten")).toContainText("97,0 %");
    await expect(page.locator("html")).toHaveAttribute("lang", "de");
    await expectAccessible(page);
    await page.getByRole("button", { name: "English" }).click();
    await expect(heading(page, "male presentation")).toBeVisible();
    await expect(page.getByRole("img", { name: "person.jpg" })).toBeVisible(); // the photo, too
    await page.reload();
    await expect(heading(page, "male presentation")).toBeVisible();
    await expect(page.locator("html")).toHaveAttribute("lang", "en");
  });
});
