import type { Reduce, Reduced } from "./reduce";

/** `reduce` in a worker, so that the page never freezes. Without workers, or if the worker dies, photos are sent as they are. */
export const startReducer = () => inWorker(() => new Worker(new URL("./reduce.worker.ts", import.meta.url), { type: "module" }));

/** Decodes HEIC in a worker that is started with the first such photo: its decoder is larger than the page. */
export const startHeicDecoder = () => inWorker(() => new Worker(new URL("./heic.worker.ts", import.meta.url), { type: "module" }));

function inWorker(create: () => Worker): Reduce {
  if (typeof Worker === "undefined" || typeof OffscreenCanvas === "undefined") return () => Promise.resolve(null);
  let running: ReturnType<typeof start> | null = null;

  const start = async () => {
    const { wrap } = await import("comlink"); // the start has no use for it
    const worker = create();
    worker.addEventListener("error", () => {
      worker.terminate();
      running = null;
    });
    return { worker, reduce: wrap<Reduce>(worker) };
  };

  return async (file) => {
    const settled = new AbortController();
    try {
      const { worker, reduce } = await (running ??= start());
      return await new Promise<Reduced | null>((resolve, reject) => {
        worker.addEventListener("error", () => resolve(null), settled); // Comlink would wait for ever
        reduce(file).then(resolve, reject);
      });
    } catch {
      running = null; // its files could not be loaded
      return null;
    } finally {
      settled.abort();
    }
  };
}
