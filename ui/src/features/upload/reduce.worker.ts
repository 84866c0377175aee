import { expose } from "comlink";
import { oneAtATime } from "./oneAtATime";
import { reduce } from "./reduce";

expose(oneAtATime(reduce));
