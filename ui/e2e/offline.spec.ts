import type { Page } from "@playwright/test";
import { choose, expect, expectAccessible, file, heading, STATUS, test } from "./page";
import { Proxy } from "./proxy";

// The service worker: with no network the page opens as of the last visit, and with one nobody sees an old page.

test.use({ expectedErrors: STATUS, serviceWorkers: "allow" });

let proxy: Proxy;
let url: string;
test.beforeEach(async () => {
  proxy = new Proxy();
  url = await proxy.up();
});
test.afterEach(() => proxy.down().catch(() => undefined));

const visit = async (page: Page) => {
  await page.goto(url);
  await expect(page.getByRole("button", { name: "Service: Ready" })).toBeVisible();
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => null));
};

test("with no network, a reload shows the page with what was kept, also at its other addresses and in parts not yet seen", async ({ page }) => {
  // CloudFront sends the page's policy with each of its files, and workers obey their own.
  const policy = (await page.request.get(`${url}/how`)).headers()["content-security-policy"] ?? "";
  const worker = await (await page.request.get(`${url}/sw.js`)).body();
  proxy.instead = (request, response) => {
    if (request.url !== "/sw.js") return false;
    response.writeHead(200, { "content-type": "text/javascript", "content-security-policy": policy }).end(worker);
    return true;
  };
  await visit(page);
  await choose(page, file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  await proxy.down();
  await page.reload();
  await expect(heading(page, /presentation$/)).toBeVisible();
  await expect(page.getByText("The photo was not kept, only its answer.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Service: Not reachable" })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("link", { name: "Photos (1)" }).click();
  await expect(heading(page, "1 photo")).toBeVisible();
  await page.goto(`${url}/how`);
  await expect(heading(page, "How it works").first()).toBeVisible();
  await page.goto(`${url}/model`);
  await expect(page.getByRole("alert")).toContainText("The service does not say what its models are");
});

test("a deployment in the middle of a visit: open tabs keep all their parts, and a reload shows the new page at once", async ({ page }) => {
  await visit(page);
  await page.reload(); // from now on the worker is in between
  await choose(page, file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  const old = await (await fetch(`${url}/index.html`)).text();
  proxy.instead = (request, response) => {
    const isPage = request.headers["sec-fetch-mode"] === "navigate";
    if (!isPage && !request.url?.startsWith("/assets/Gallery")) return false;
    response.writeHead(isPage ? 200 : 404, { "content-type": "text/html" });
    response.end(isPage ? old.replace("<body>", "<body><p>newly deployed</p>") : "gone");
    return true;
  };
  await page.getByRole("link", { name: "Photos (1)" }).click();
  await expect(heading(page, "1 photo")).toBeVisible();
  await page.reload();
  await expect(page.getByText("newly deployed")).toBeVisible();
  await expect(heading(page, "1 photo")).toBeVisible();
});

test("only the page's own files are kept, and none of what the service says", async ({ page }) => {
  await visit(page);
  await page.reload();
  await choose(page, file("person.jpg"));
  await expect(heading(page, /presentation$/)).toBeVisible();
  await page.getByRole("contentinfo").getByRole("link", { name: "The model" }).click();
  await expect(heading(page, "How good it is")).toBeVisible();
  const kept = await page.evaluate(async () => {
    const names = await caches.keys();
    const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return requests.flat().map((request) => request.url);
  });
  expect(kept.length).toBeGreaterThan(5);
  expect(kept.filter((each) => !/\/assets\/[^?]+$|\?offline/.test(each))).toEqual([]);
  const sent = await page.request.get(`${url}/sw.js`);
  expect(sent.headers()["cache-control"]).toBe("no-cache");
});
