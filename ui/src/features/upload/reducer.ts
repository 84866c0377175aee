import type { Reduce, Reduced } from "./reduce";
import type { Response } from "./reduce.worker";

/** `reduce` in a worker, so that the page never freezes. Without workers, or if the worker dies, photos are sent as they are. */
export function startReducer(): Reduce {
  if (typeof Worker === "undefined" || typeof OffscreenCanvas === "undefined") return () => Promise.resolve(null);
  const waiting = new Map<number, (reduced: Reduced | null) => void>();
  let worker: Worker | null = null;
  let last = 0;

  const start = () => {
    const started = new Worker(new URL("./reduce.worker.ts", import.meta.url), { type: "module" });
    started.addEventListener("message", ({ data: { id, reduced } }: MessageEvent<Response>) => {
      waiting.get(id)?.(reduced);
      waiting.delete(id);
    });
    started.addEventListener("error", () => {
      for (const answer of waiting.values()) answer(null);
      waiting.clear();
      started.terminate();
      worker = null;
    });
    return started;
  };

  return (file) =>
    new Promise((resolve) => {
      worker ??= start();
      waiting.set(++last, resolve);
      worker.postMessage({ id: last, file });
    });
}
