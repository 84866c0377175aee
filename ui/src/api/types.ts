import type { components } from "./schema";

export type Answer = components["schemas"]["Answer"];
export type AnsweredPerson = components["schemas"]["AnsweredPerson"];
export type Code = components["schemas"]["Code"];
export type Fault = components["schemas"]["Fault"];
export type Health = components["schemas"]["Health"];
export type Person = components["schemas"]["Person"];
