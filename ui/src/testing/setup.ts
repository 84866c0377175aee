import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterAll, afterEach, beforeAll } from "vitest";
import { server } from "./server";

const hasPage = typeof document !== "undefined"; // some tests run in plain Node

configure({ asyncUtilTimeout: 20_000 }); // the default of one second is too short on a busy machine

if (hasPage) {
  // Stubs for what jsdom lacks, because it does not render.
  URL.createObjectURL = () => "blob:photo";
  URL.revokeObjectURL = () => undefined;
  globalThis.scrollTo = () => undefined;
  Element.prototype.scrollIntoView = () => undefined;
  globalThis.ResizeObserver = class {
    observe() {
      return undefined;
    }
    unobserve() {
      return undefined;
    }
    disconnect() {
      return undefined;
    }
  };
  globalThis.matchMedia = (query) => Object.assign(new EventTarget(), { matches: false, media: query }) as unknown as MediaQueryList;
}

beforeAll(() => server.listen({ onUnhandledRequest: "error" }));
afterEach(() => {
  cleanup();
  server.resetHandlers();
  if (!hasPage) return;
  sessionStorage.clear();
  history.replaceState(null, "", "/");
});
afterAll(() => server.close());
