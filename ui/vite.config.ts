import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { offlineShell } from "./vite.offline.ts";

/** Behind buttons only, so it is not loaded with the page. */
const POPOVERS = /node_modules.(@?radix-ui|@floating-ui|react-remove-scroll|react-style-singleton|use-sidecar|use-callback-ref|aria-hidden)/;
/** What several parts share is one file: a dozen small ones compress worse. */
const GROUPS = [
  { name: "shared", minShareCount: 2, test: (id: string) => !POPOVERS.test(id), priority: 1 },
  { name: "popovers", test: POPOVERS },
];

const SERVICE = process.env["SERVICE_URL"] ?? "http://localhost:8000";

export default defineConfig({
  plugins: [react(), offlineShell],
  resolve: { alias: { "@": fileURLToPath(new URL("src", import.meta.url)) } },
  server: {
    proxy: {
      ...Object.fromEntries(["/predict", "/predict-batch", "/health", "/docs", "/openapi.json", "/model/card"].map((path) => [path, SERVICE])),
      // For browsers that open it, the page: as serve_app/http does it.
      "^/model$": { target: SERVICE, bypass: ({ headers }) => (headers.accept?.includes("text/html") ? "/index.html" : undefined) },
    },
  },
  build: {
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: addresses
    rolldownOptions: {
      // libheif asks for modules of Node where there are any, and does without them in browsers.
      onLog: (level, log, handle) => log.message.includes("libheif-js") || handle(level, log),
      output: { assetFileNames: "assets/[name]-[hash][extname]", codeSplitting: { groups: GROUPS } },
    },
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
