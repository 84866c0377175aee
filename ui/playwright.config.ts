import { defineConfig } from "@playwright/test";

/** Run by tests/browser, which starts the service, finds the browser and makes the photos. */
export default defineConfig({
  testDir: "e2e",
  testMatch: "*.spec.ts",
  outputDir: "test-results",
  workers: 1, // the service has the same cores
  reporter: "line",
  timeout: 60_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  use: {
    baseURL: process.env["SERVICE_URL"] ?? "http://localhost:8000",
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream"],
    },
    trace: "off",
    serviceWorkers: "block", // what they answer passes by page.route; offline.spec.ts allows them
  },
});
