import { http, HttpResponse } from "msw";
import { expect, test } from "vitest";
import { SERVICE, server } from "../testing/server";
import { loadConfig } from "./config";

const configIs = (reply: () => Response) => server.use(http.get(`${SERVICE}/config.json`, reply));

test("the service's URL comes from config.json, without its trailing slash", async () => {
  configIs(() => HttpResponse.json({ apiUrl: "/api/" }));
  expect(await loadConfig()).toEqual({ apiUrl: "/api" });
});

test("without config.json it is the page's own origin", async () => {
  configIs(() => new HttpResponse(null, { status: 404 }));
  expect(await loadConfig()).toEqual({ apiUrl: "" });
});

test.each([{}, { apiUrl: 3 }, []])("%j is rejected", async (config) => {
  configIs(() => HttpResponse.json(config));
  await expect(loadConfig()).rejects.toThrow("config.json must be like");
});
