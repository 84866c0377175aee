import type { components } from "./schema.js";

export type Answer = components["schemas"]["Answer"];
export type AnsweredPerson = components["schemas"]["AnsweredPerson"];
export type BatchAnswer = components["schemas"]["BatchAnswer"];
export type BatchItem = components["schemas"]["BatchItem"];
export type Code = components["schemas"]["Code"];
export type ClassifierCard = components["schemas"]["ClassifierCard"];
export type ClassifierSplit = components["schemas"]["ClassifierSplit"];
export type DetectorCard = components["schemas"]["DetectorCard"];
export type Explanation = components["schemas"]["Explanation"];
export type Fault = components["schemas"]["Fault"];
export type Health = components["schemas"]["Health"];
export type Interval = components["schemas"]["Interval"];
export type ModelCards = components["schemas"]["ModelCards"];
export type Person = components["schemas"]["Person"];
