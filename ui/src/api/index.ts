// What the package offers. The page imports the files that it needs instead.
export type { Explained, HealthReport, HeatMap, Replied, Reply } from "./client.js";
export * from "./limits.js";
export { Client, type Options } from "./patient.js";
export type * from "./types.js";
