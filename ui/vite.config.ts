import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const SERVICE = process.env["SERVICE_URL"] ?? "http://localhost:8000";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("src", import.meta.url)) } },
  server: { proxy: Object.fromEntries(["/predict", "/predict-batch", "/health", "/docs", "/openapi.json"].map((path) => [path, SERVICE])) },
  build: {
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: addresses
  },
  worker: { format: "es" },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/testing/setup.ts"],
    restoreMocks: true,
    testTimeout: 60_000, // longer than the waits within a test: see setup.ts
  },
});
