import { choose, expect, file, heading, open, STATUS, test } from "./page";

test.use({ expectedErrors: STATUS });

test("photos are sent to the API at the page's own https origin", async ({ page }) => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await open(page);
  expect(await page.evaluate(() => window.isSecureContext)).toBe(true);
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === "/api/predict");
  await choose(page, file("person.jpg"));
  expect((await answered).status()).toBe(200);
  await expect(heading(page, /presentation$/)).toBeVisible();
  expect(asked.filter((url) => !/^(https|blob:https):/.test(url))).toEqual([]); // no mixed content
});

test("an unknown API path does not return the page", async ({ page }) => {
  const answer = await page.goto("/api/nothing");
  expect(answer?.status()).toBe(404);
  expect(await answer?.json()).toMatchObject({ code: "not_found" });
});

test("a deep link opens the page", async ({ page }) => {
  await page.goto("/photos/3");
  await expect(page.getByRole("button", { name: "Service: Ready" })).toBeVisible();
});
