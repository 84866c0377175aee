import { reduce, type Reduced } from "./reduce";

export type Request = { id: number; file: File };
export type Response = { id: number; reduced: Reduced | null };

let previous: Promise<unknown> = Promise.resolve();

// One photo at a time: a decoded one takes four bytes per pixel.
addEventListener("message", ({ data: { id, file } }: MessageEvent<Request>) => {
  previous = previous.then(() =>
    reduce(file).then(
      (reduced) => postMessage({ id, reduced } satisfies Response),
      () => postMessage({ id, reduced: null } satisfies Response),
    ),
  );
});
