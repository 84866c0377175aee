import { readFileSync, statSync } from "node:fs";
import { choose, expect, expectAccessible, file, heading, many, open, STATUS, test } from "./page";

test("one person: an answer, both probabilities, a box on the person", async ({ page }) => {
  await open(page);
  await expectAccessible(page);
  await choose(page, file("person.jpg"));
  await expect(heading(page, /^(female|male) presentation$/)).toBeVisible();
  await expect(page.getByLabel("Probabilities").locator("dt")).toHaveText(["female", "male"]);
  await expect(page.getByTestId("box")).toHaveCount(1);
  await expect(page.getByRole("status")).toContainText("confidence");
  await expectAccessible(page);
});

test("several people: an answer for each, by mouse and keyboard, in the gallery and in the export", async ({ page }) => {
  await open(page);
  await choose(page, file("two.jpg"));
  await expect(heading(page, /^2 people /)).toBeVisible();
  await expect(page.getByTestId("box")).toHaveCount(2);
  const frames = page.getByRole("group", { name: "People in the photo" }).getByRole("button");
  const entries = page.getByRole("list", { name: "Answers" }).getByRole("button");
  await expect(entries).toHaveCount(2);
  await expect(frames.first()).toHaveAttribute("aria-pressed", "true");
  await frames.nth(1).click();
  await expect(entries.nth(1)).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByRole("region", { name: /^Person 2/ })).toBeVisible();
  await entries.first().focus();
  await page.keyboard.press("Enter");
  await expect(frames.first()).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByRole("region", { name: /^Person 1/ })).toBeVisible();
  await expectAccessible(page);
  await page.reload(); // the photo is not kept, its answers are
  await expect(entries).toHaveCount(2);
  await page.getByRole("link", { name: "Photos (1)" }).click();
  await expect(heading(page, "1 photo")).toBeVisible();
  await expect(page.getByRole("link", { name: /^two\.jpg 2 people: / })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Export" }).click();
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).click();
  expect(readFileSync(await (await saved).path(), "utf8").match(/^two\.jpg,/gm)).toHaveLength(2);
});

test("unsure: what it leans to, both probabilities, a box on the person", async ({ page }) => {
  // Whether the models are sure of a photo is up to them, so this answer is made up.
  await page.route("**/predict?*", (route) =>
    route.fulfill({
      json: {
        prediction: null,
        confidence: 0,
        person_count: 1,
        probabilities: { male: 0.534, female: 0.466 },
        error: "The model is not sure enough to say.",
        code: "unsure",
        people: [{ box: [0.1, 0.1, 0.7, 1], score: 0.9 }],
        request_id: "made-up",
        model: { detector: "detector@1", classifier: "classifier@1" },
      },
    }),
  );
  await open(page);
  await choose(page, file("person.jpg"));
  await expect(heading(page, "Unsure not sure enough to say")).toBeVisible();
  await expect(page.getByLabel("Probabilities").locator("dt")).toHaveText(["female", "male"]);
  await expect(page.getByTestId("box")).toHaveCount(1);
  await expectAccessible(page);
});

test("nobody: no answer, no box, and advice", async ({ page }) => {
  await open(page);
  await choose(page, file("nobody.jpg"));
  await expect(heading(page, "Nobody found in this photo")).toBeVisible();
  await expect(page.getByTestId("box")).toHaveCount(0);
});

test("large photos are scaled down before upload, and boxes fit photos with an EXIF orientation", async ({ page }) => {
  await open(page);
  const boxOf = async (name: string) => {
    const sent = page.waitForRequest("**/predict?*");
    await choose(page, file(name));
    expect(Number((await (await sent).allHeaders())["content-length"])).toBeLessThan(400_000);
    await expect(heading(page, /presentation$/)).toBeVisible();
    const box = page.getByTestId("box");
    return Promise.all(["x", "y", "width", "height"].map(async (side) => Number(await box.getAttribute(side))));
  };
  const upright = await boxOf("large.jpg");
  const turned = await boxOf("turned.jpg");
  turned.forEach((side, index) => expect(side).toBeCloseTo(upright[index] ?? -1, 1));
});

test("a photo that the browser cannot show still gets an answer", async ({ page }) => {
  await open(page);
  await choose(page, file("photo.tiff"));
  await expect(page.getByText("Your browser cannot show this file.")).toBeVisible();
  await expect(heading(page, /presentation$/)).toBeVisible();
});

test.describe("bad files", () => {
  test.use({ expectedErrors: STATUS });
  for (const [name, title] of [
    ["huge.jpg", "This file has more than 10 MiB"],
    ["document.jpg", "This file is not a photo that the service can read"],
    ["phone.heic", "This photo is damaged"],
    ["dot.png", "Nobody found in this photo"],
    ["cut.jpg", "This photo is damaged"],
  ] as const) {
    test(`${name}: ${title}`, async ({ page }) => {
      await open(page);
      await choose(page, file(name));
      await expect(heading(page, title)).toBeVisible();
      await expectAccessible(page);
    });
  }

  test("bad files do not affect the good ones", async ({ page }) => {
    await open(page);
    await choose(page, ...["person.jpg", "huge.jpg", "document.jpg", "dot.png", "phone.heic", "two.jpg"].map(file));
    await expect(page.getByText(/ 4 without; of 2 people in photos of several, /).first()).toBeVisible();
  });
});

test("a dropped photo is analysed", async ({ page }) => {
  await open(page);
  const bytes = readFileSync(file("person.jpg")).toString("base64");
  const data = await page.evaluateHandle((encoded) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0))], "dropped.jpg", { type: "image/jpeg" }));
    return transfer;
  }, bytes);
  await page.dispatchEvent("main", "dragenter", { dataTransfer: data });
  await expect(page.getByText("Drop to analyse")).toBeVisible();
  await page.dispatchEvent("main", "drop", { dataTransfer: data });
  await expect(heading(page, "dropped.jpg")).toBeVisible();
  await expect(heading(page, /presentation$/)).toBeVisible();
});

test.describe("drawings", () => {
  test.use({ expectedErrors: STATUS }); // five photos in a row: a slow machine may call itself busy

  test("each drawing of the start gets a sensible answer", async ({ page }) => {
    await open(page);
    for (const [name, answer] of [
      ["Somebody with a beard", "male presentation"],
      ["Somebody with long hair", "female presentation"],
      ["Somebody with short hair", /presentation$|^Unsure/],
      ["Two people", /^2 people /],
      ["Hills, and nobody", "Nobody found in this photo"],
    ] as const) {
      await page.getByRole("button", { name }).click();
      await expect(heading(page, `Drawing: ${name}.jpg`)).toBeVisible();
      await expect(heading(page, answer)).toBeVisible();
      await page.getByRole("link", { name: "Gender presentation: start" }).click();
    }
  });
});

test("a photo of an iPhone is sent as it is, gets an answer and a preview, and its decoder is loaded for it alone", async ({ page }) => {
  const loaded: string[] = [];
  page.on("request", (request) => loaded.push(new URL(request.url()).pathname));
  await open(page);
  await choose(page, file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  expect(loaded.filter((path) => path.includes("heic"))).toEqual([]);
  const sent = page.waitForRequest("**/predict?*");
  await choose(page, file("iphone.heic"));
  const bytes = Number((await (await sent).allHeaders())["content-length"]) - statSync(file("iphone.heic")).size;
  expect(bytes).toBeGreaterThan(0); // the form around it
  expect(bytes).toBeLessThan(500);
  await expect(heading(page, /presentation$/)).toBeVisible();
  const preview = page.getByRole("img", { name: "iphone.heic" });
  await expect(preview).toBeVisible();
  expect(await preview.evaluate((image: HTMLImageElement) => image.naturalHeight)).toBeGreaterThan(320); // not the thumbnail
  await expect(page.getByTestId("box")).toHaveCount(1);
  await expect(page.getByText("Preview: libheif (LGPL)")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("link", { name: "All photos" }).click();
  await expect(page.getByRole("link", { name: /^iphone\.heic/ }).locator("img")).toBeVisible();
});

test("the ways to ask the same from a program are there to be copied", async ({ page }) => {
  await open(page);
  await choose(page, file("person.jpg"));
  await page.getByText("Ask the same from a program").click();
  await expect(page.getByLabel("curl", { exact: true })).toHaveText(`curl -F 'file=@"person.jpg"' '${new URL("/predict?people=each", page.url()).href}'`);
  await expectAccessible(page);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy for Python" }).click();
  await expect(page.getByText("Copied")).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("import requests");
});

test("the picture with its frames is copied, and saved where the browser cannot copy it", async ({ page }) => {
  await open(page);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await choose(page, file("two.jpg"));
  await page.getByRole("button", { name: "Copy the picture with its frames" }).press("Enter");
  await expect(page.getByRole("button", { name: "Copied as a picture" })).toBeFocused();
  await expectAccessible(page);
  const box = await page.getByTestId("box").first().evaluate((rect) => ["x", "y", "width", "height"].map((side) => Number(rect.getAttribute(side))));
  const copied = await page.evaluate(async ([x = 0, y = 0, width = 0, height = 0]) => {
    const [item] = await navigator.clipboard.read();
    const bitmap = await createImageBitmap((await item?.getType("image/png")) ?? new Blob());
    const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    pen?.drawImage(bitmap, 0, 0);
    const colourAt = (x: number, y: number) => [...(pen?.getImageData(Math.floor(x * bitmap.width), Math.floor(y * bitmap.height), 1, 1).data ?? [])];
    return { onTheFrame: colourAt(x, y + height / 2), inside: colourAt(x + width / 2, y + height / 2) };
  }, box);
  expect(copied.onTheFrame).toEqual([255, 255, 255, 255]);
  expect(copied.inside).not.toEqual([255, 255, 255, 255]);

  await page.evaluate(() => Reflect.deleteProperty(window, "ClipboardItem"));
  await choose(page, file("person.jpg"));
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save the picture with its frame" }).click();
  expect((await saved).suggestedFilename()).toBe("person with its frame.png");
  expect(readFileSync(await (await saved).path()).subarray(1, 4).toString()).toBe("PNG");
  await expect(page.getByRole("button", { name: "Saved as a picture" })).toBeVisible();
});

test("the camera takes a photo, and is off afterwards", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "Use the camera" }).click();
  await page.getByRole("button", { name: "Take the photo" }).click();
  await expect(heading(page, "Camera photo.jpg")).toBeVisible();
  await expect(heading(page, "Nobody found in this photo")).toBeVisible();
});

test("twenty photos: bounded concurrency, a responsive page, sorting, filters and export", async ({ page }) => {
  await open(page);
  let inFlight = 0;
  let most = 0;
  page.on("request", (request) => request.url().includes("/predict?") && (most = Math.max(most, ++inFlight)));
  page.on("requestfinished", (request) => request.url().includes("/predict?") && inFlight--);
  await page.evaluate(() => {
    const state = window as unknown as { longest: number };
    state.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) state.longest = Math.max(state.longest, duration);
    }).observe({ type: "longtask" });
  });
  await choose(page, ...many());
  await expect(heading(page, "20 photos")).toBeVisible();
  await expect(page.getByText(/ 10 without; of 10 people in photos of several, /).first()).toBeVisible();
  expect(most).toBeLessThanOrEqual(4);
  console.log(`longest task: ${await page.evaluate(() => (window as unknown as { longest: number }).longest)} ms`);
  await expectAccessible(page);

  await page.getByLabel("Show").selectOption("Answered");
  await expect(page.locator("[data-photo]")).not.toHaveCount(20);
  // Five of one person, and those of two of whom the models are sure of one.
  const shown = await page.locator("[data-photo]").count();
  expect([5, 10]).toContain(shown);
  await page.getByRole("radio", { name: "Table" }).click();
  await expect(page.getByRole("rowheader")).toHaveCount(shown);
  await expectAccessible(page);
  const rows = async () => {
    const saving = page.waitForEvent("download");
    await page.getByRole("button", { name: "CSV" }).click();
    return readFileSync(await (await saving).path(), "utf8").trim().split("\r\n").length - 1;
  };
  await page.getByRole("button", { name: "Export" }).click();
  await expect(page.getByRole("radio", { name: "All 20 photos" })).toBeChecked();
  await expectAccessible(page);
  expect(await rows()).toBe(25); // five photos have two people
  await page.getByRole("radio", { name: `Only those shown: ${shown} (“Answered”)` }).check();
  expect(await rows()).toBe(5 + 2 * (shown - 5));
  await page.keyboard.press("Escape");

  await page.locator("[data-photo]").first().click();
  await expect(heading(page, /presentation$/)).toBeVisible();
  await page.getByRole("link", { name: "Next" }).click();
  await page.goBack();
  await page.goBack();
  await expect(page.getByRole("rowheader")).toHaveCount(shown);
});
