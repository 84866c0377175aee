import type { Reduce, Reduced } from "./reduce";

/** One photo after the other: a decoded one takes four bytes per pixel. Null where it cannot be decoded. */
export function oneAtATime(reduce: (file: File) => Promise<Reduced>): Reduce {
  let previous: Promise<Reduced | null> = Promise.resolve(null);
  return (file) => (previous = previous.then(() => reduce(file).catch(() => null)));
}
