import * as v from "valibot";
import type { Answer, BatchAnswer, Explanation, Fault, Health, ModelCards } from "./types.js";

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
const batch = v.looseObject({ results: v.array(v.looseObject({ ...answer.entries, filename: v.string() })) });
const fault = v.looseObject({ code: v.string(), error: v.string(), request_id: v.string() });
const health = v.looseObject({
  status: v.string(),
  version: v.string(),
  models: v.record(v.string(), v.nullable(model)),
  faults: v.record(v.string(), v.string()),
});

const explanation = v.looseObject({ label: v.string(), base: share, changes: v.pipe(v.array(v.pipe(v.array(share), v.minLength(1))), v.minLength(1)) });

const interval = v.looseObject({ value: share, low: share, high: share });
const measured = {
  photos: v.number(),
  answered: interval,
  accuracy: v.nullish(interval),
  recall: v.nullish(v.record(v.string(), interval)),
  ece: v.nullish(interval),
  selection: v.nullish(v.looseObject({ coverage: interval, risk: v.nullish(interval) })),
};
const split = v.looseObject({
  ...measured,
  groups: v.record(v.string(), v.record(v.string(), v.looseObject(measured))),
  reliability: v.nullish(v.array(v.looseObject({ low: share, high: share, answers: v.number(), confidence: share, accuracy: share }))),
  curve: v.nullish(v.array(v.looseObject({ threshold: share, coverage: share, risk: share }))), // older services have none
});
const counted = v.looseObject({ photos: v.number(), accuracy: share });
const card = {
  name: v.string(),
  revision: v.string(),
  architecture: v.nullable(v.string()),
  labels: v.array(v.string()),
  weights_sha256: v.string(),
  licence: v.nullable(v.string()),
  summary: v.nullable(v.string()),
  limits: v.array(v.string()),
  facts: v.record(v.string(), v.string()),
  decision: v.record(v.string(), v.unknown()),
};
const cards = v.looseObject({
  classifier: v.looseObject({ ...card, metrics: v.nullable(v.record(v.string(), split)) }),
  detector: v.looseObject({ ...card, metrics: v.nullable(v.record(v.string(), counted)) }),
});

export const isAnswer = (body: unknown): body is Answer => v.is(answer, body);
export const isBatchAnswer = (body: unknown): body is BatchAnswer => v.is(batch, body);
export const isFault = (body: unknown): body is Fault => v.is(fault, body);
export const isHealth = (body: unknown): body is Health => v.is(health, body);
export const isExplanation = (body: unknown): body is Explanation => v.is(explanation, body);
export const isModelCards = (body: unknown): body is ModelCards => v.is(cards, body);
