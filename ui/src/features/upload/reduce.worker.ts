import { expose } from "comlink";
import { reduce, type Reduce, type Reduced } from "./reduce";

let previous: Promise<Reduced | null> = Promise.resolve(null);

// One photo at a time: a decoded one takes four bytes per pixel.
const reduceNext: Reduce = (file) => (previous = previous.then(() => reduce(file).catch(() => null)));

expose(reduceNext);
