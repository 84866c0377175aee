import * as v from "valibot";
import type { Answer, Fault, Health } from "./types";

// What the page relies on, checked when it arrives: the service may be newer than the page, and something else may have answered.
// Codes are any text, and further fields are kept, so that what the service learns does no harm here.

const share = v.number();
const model = v.looseObject({ name: v.string(), revision: v.string() });

const person = { box: v.tuple([share, share, share, share]), score: share };
const answeredPerson = v.looseObject({
  ...person,
  code: v.string(),
  prediction: v.nullable(v.string()),
  confidence: share,
  probabilities: v.record(v.string(), share),
  error: v.nullable(v.string()),
});
/** One who was not asked about, because there are many, or the service is older. */
const unansweredPerson = v.looseObject({ ...person, code: v.optional(v.undefined()) });

const answer = v.looseObject({
  prediction: v.nullable(v.string()),
  confidence: share,
  person_count: v.number(),
  probabilities: v.nullable(v.record(v.string(), share)),
  error: v.nullable(v.string()),
  code: v.string(),
  people: v.array(v.union([answeredPerson, unansweredPerson])),
  request_id: v.string(),
  model: v.nullish(v.looseObject({ detector: v.string(), classifier: v.string() })),
});
const fault = v.looseObject({ code: v.string(), error: v.string(), request_id: v.string() });
const health = v.looseObject({
  status: v.string(),
  version: v.string(),
  models: v.record(v.string(), v.nullable(model)),
  faults: v.record(v.string(), v.string()),
});

export const isAnswer = (body: unknown): body is Answer => v.is(answer, body);
export const isFault = (body: unknown): body is Fault => v.is(fault, body);
export const isHealth = (body: unknown): body is Health => v.is(health, body);
