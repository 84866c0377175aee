import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import openapi from "../../openapi.json";
import type { Answer, Code, Fault, Health, ModelCards } from "../api/types";

export const SERVICE = "http://localhost:3000";

const { "200": good, ...faults } = openapi.paths["/predict"].post.responses;
const examples = Object.values(faults).flatMap((response) => Object.entries(response.content["application/json"].examples));

/** An example answer from the OpenAPI document. */
export const answer = (code: "ok" | "no_person" | "multiple_people" | "unsure" | "ok, each person"): Answer =>
  good.content["application/json"].examples[code].value as unknown as Answer;

/** An example fault from the OpenAPI document. */
export const fault = (code: Code): Fault => {
  const example = examples.find(([name]) => name === code);
  if (!example) throw new Error(`the document has no example of ${code}`);
  return (example[1] as { value: Fault }).value;
};

export const HEALTHY = openapi.paths["/health"].get.responses["200"].content["application/json"].examples.healthy.value as unknown as Health;

export const CARDS = openapi.paths["/model"].get.responses["200"].content["application/json"].examples.cards.value as unknown as ModelCards;

export const busy = (seconds: number) => HttpResponse.json(fault("overloaded"), { status: 503, headers: { "retry-after": String(seconds) } });

/** The fake service; unless a test overrides a handler, it is healthy and answers every photo. */
export const server = setupServer(
  http.get(`${SERVICE}/health`, () => HttpResponse.json(HEALTHY)),
  http.get(`${SERVICE}/model`, () => HttpResponse.json(CARDS)),
  http.post(`${SERVICE}/predict`, () => HttpResponse.json(answer("ok"))),
);
