import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { VitePWA } from "vite-plugin-pwa";

const DIST = new URL("dist/", import.meta.url);
// For the precache alone: under its own address, it would be answered from there even with a network.
const offline = (url: string) => `${url}?offline`;

/**
 * The service worker, sw.js: with no network, the page opens as of the last visit.
 *
 * Files named by their content come from its cache. index.html and config.json come from the network whenever there is one, so nobody
 * sees an old page after a deployment; without one, those of the same build. A new worker begins when no tab has the page open: until
 * then, open tabs have all parts of theirs. Requests to the service pass by it.
 */
export const offlineShell = VitePWA({
  manifest: false, // public/manifest.webmanifest
  injectRegister: null, // app/offline.ts
  workbox: {
    inlineWorkboxRuntime: true,
    sourcemap: false,
    globPatterns: ["assets/*.{js,css,woff2}", "index.html", "config.json"],
    globIgnores: ["assets/*heic*", "assets/libheif*"], // larger than all the rest
    dontCacheBustURLsMatching: /^assets\//,
    manifestTransforms: [
      (entries) => ({
        manifest: entries.map((entry) => {
          if (entry.url === "config.json") return { ...entry, url: offline(entry.url) }; // differs by environment
          if (entry.url !== "index.html") return entry;
          // In the middle of a deployment it may still be the old one; then this worker is installed at the next visit.
          const sha = createHash("sha384").update(readFileSync(new URL(entry.url, DIST))).digest("base64");
          return { ...entry, url: offline(entry.url), integrity: `sha384-${sha}` };
        }),
      }),
    ],
    navigateFallback: null,
    runtimeCaching: [
      {
        // The page's addresses (features/workspace/addresses.ts). Its text is copied into sw.js, so it stands alone.
        urlPattern: ({ request, sameOrigin, url }) =>
          sameOrigin && request.mode === "navigate" && /^\/($|photos($|\/)|compare$|how$|model$)/.test(url.pathname),
        handler: "NetworkOnly",
        options: { precacheFallback: { fallbackURL: offline("index.html") } },
      },
      {
        urlPattern: ({ sameOrigin, url }) => sameOrigin && url.pathname === "/config.json",
        handler: "NetworkOnly",
        options: { precacheFallback: { fallbackURL: offline("config.json") } },
      },
    ],
  },
});
