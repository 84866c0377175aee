import type { ServerResponse } from "node:http";
import { choose, expect, expectAccessible, file, heading, many, STATUS, test } from "./page";
import { Proxy } from "./proxy";

test.use({ expectedErrors: STATUS });

let proxy: Proxy;
let url: string;
test.beforeEach(async () => {
  proxy = new Proxy();
  url = await proxy.up();
});
test.afterEach(() => proxy.down().catch(() => undefined));

const overloaded = (response: ServerResponse, seconds: number) => {
  const text = "The service is busy or warming up. Nothing was lost, please try again.";
  response.writeHead(503, { "content-type": "application/json", "retry-after": String(seconds) });
  response.end(JSON.stringify({ error: text, detail: text, code: "overloaded", request_id: "of-the-proxy" }));
};

test("service down: photo and indicator say so at once, and when the service is back, the page goes on by itself", async ({ page }) => {
  await page.goto(url);
  const { port } = proxy;
  await proxy.down();
  await choose(page, file("person.jpg"));
  await expect(heading(page, "The service does not answer")).toBeVisible();
  await expect(page.getByRole("button", { name: "Service: Not reachable" })).toBeVisible();
  await expect(heading(page, "The service cannot be reached")).toBeVisible();
  await expectAccessible(page);
  await expect(page.getByRole("button", { name: "Try again" })).toBeVisible();
  await proxy.up(port);
  await expect(heading(page, /presentation$/)).toBeVisible();
  await expect(page.getByRole("button", { name: "Service: Ready" })).toBeVisible();
});

test("service overloaded: the page waits as long as told, then every photo gets its answer", async ({ page }) => {
  let refused = 0;
  const asked: number[] = [];
  proxy.instead = (request, response) => {
    if (!request.url?.startsWith("/predict")) return false;
    asked.push(Date.now());
    if (refused >= 4) return false;
    refused++;
    overloaded(response, 3);
    return true;
  };
  await page.goto(url);
  await choose(page, ...many().slice(0, 8));
  await expect(page.getByText(/The service is busy\. Going on/)).toBeVisible();
  await expect(page.getByRole("button", { name: "Service: Busy" })).toBeVisible();
  await expectAccessible(page);
  await expect(heading(page, "8 photos")).toBeVisible();
  await expect(page.getByText(/ 4 without; of 4 people in photos of several, /).first()).toBeVisible();
  const longestRest = Math.max(...asked.slice(1).map((time, index) => time - (asked[index] ?? 0)));
  expect(longestRest).toBeGreaterThan(2900); // the page waited for the three seconds of Retry-After
});

test("the page distinguishes warming up from ready", async ({ page }) => {
  let warming = true;
  proxy.instead = (request, response) => {
    if (request.url !== "/health" || !warming) return false;
    response.writeHead(503, { "content-type": "application/json" });
    const models = { detector: null, classifier: null };
    response.end(
      JSON.stringify({ status: "unavailable", model_loaded: false, processor_loaded: false, detector_loaded: false, version: "1", models, faults: {} }),
    );
    return true;
  };
  await page.goto(url);
  await expect(page.getByRole("button", { name: "Service: Warming up" })).toBeVisible();
  warming = false;
  await expect(page.getByRole("button", { name: "Service: Ready" })).toBeVisible();
});

test("a photo in flight can be cancelled", async ({ page }) => {
  proxy.instead = (request) => request.url?.startsWith("/predict") ?? false; // never answered
  await page.goto(url);
  await choose(page, file("person.jpg"));
  await expect(heading(page, "Looking at the photo")).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(heading(page, "Cancelled")).toBeFocused();
});

test("one build serves every environment: config.json puts the service under /api", async ({ page }) => {
  const asked: string[] = [];
  proxy.instead = (request, response) => {
    asked.push(request.url ?? "");
    if (request.url !== "/config.json") return false;
    response.writeHead(200, { "content-type": "application/json" });
    response.end('{ "apiUrl": "/api" }');
    return true;
  };
  await page.goto(url);
  await choose(page, file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  expect(asked).toContain("/api/predict?people=each");
  expect(asked).toContain("/api/health");
  expect(asked).not.toContain("/predict?people=each");
});
