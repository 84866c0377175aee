import { http, HttpResponse } from "msw";
import { expect, test, vi } from "vitest";
import { answer, busy, CARDS, fault, HEALTHY, SERVICE, server } from "../testing/server";
import { Client, retryAfter } from "./client";

const client = new Client(SERVICE);
const ask = () => client.predict(new Blob(["x"]), "a.jpg", new AbortController().signal);
const replyWith = (reply: () => Response) => server.use(http.post(`${SERVICE}/predict`, reply));

test("an answer is returned unchanged", async () => {
  expect(await ask()).toEqual({ kind: "answer", answer: answer("ok") });
});

test("each person of a photo is asked about, and those left out have no answer", async () => {
  server.use(
    http.post(`${SERVICE}/predict`, ({ request }) =>
      HttpResponse.json(answer(new URL(request.url).searchParams.get("people") === "each" ? "ok, each person" : "multiple_people")),
    ),
  );
  expect(await ask()).toEqual({ kind: "answer", answer: answer("ok, each person") });
});

test("a busy service says when to retry", async () => {
  replyWith(() => busy(7));
  expect(await ask()).toMatchObject({ kind: "fault", code: "overloaded", retryAfterMs: 7000 });
});

test.each(["not_an_image", "corrupt_image", "image_too_large", "internal"] as const)("%s keeps its code, text and request id", async (code) => {
  replyWith(() => HttpResponse.json(fault(code), { status: 400 }));
  expect(await ask()).toMatchObject({ kind: "fault", code, text: fault(code).error, requestId: fault(code).request_id });
});

test.each([
  ["a connection that breaks", () => HttpResponse.error(), true],
  ["a gateway without a backend", () => new HttpResponse("<h1>502</h1>", { status: 502 }), true],
  ["a firewall", () => new HttpResponse("<h1>403</h1>", { status: 403 }), false],
  ["a page instead of the service", () => HttpResponse.json({ hello: "world" }), false],
])("%s does not count as an answer", async (_, reply, mayPass) => {
  replyWith(reply);
  expect(await ask()).toEqual({ kind: "no_answer", mayPass });
});

test("cancelling aborts the request and does not count as a fault", async () => {
  const controller = new AbortController();
  controller.abort();
  await expect(client.predict(new Blob(["x"]), "a.jpg", controller.signal)).rejects.toThrow();
});

test("a code that the page does not know is an answer all the same", async () => {
  replyWith(() => HttpResponse.json({ ...answer("no_person"), code: "too_dark" }));
  expect(await ask()).toMatchObject({ kind: "answer", answer: { code: "too_dark" } });
});

test.each([
  ["no list of people", { people: null }],
  ["probabilities that are no numbers", { probabilities: { male: "high" } }],
  ["a frame of two numbers", { people: [{ box: [0, 1], score: 1 }] }],
])("an answer with %s is none", async (_, wrong) => {
  replyWith(() => HttpResponse.json({ ...answer("ok"), ...wrong }));
  expect(await ask()).toEqual({ kind: "no_answer", mayPass: false });
});

test("photos are sent by browsers without AbortSignal.any, too, and can be cancelled", async () => {
  vi.spyOn(AbortSignal, "any").mockImplementation(() => {
    throw new TypeError("AbortSignal.any is not a function");
  });
  expect(await ask()).toMatchObject({ kind: "answer" });
  server.use(http.post(`${SERVICE}/predict`, () => new Promise<never>(() => undefined)));
  const controller = new AbortController();
  const asked = client.predict(new Blob(["x"]), "a.jpg", controller.signal);
  controller.abort();
  await expect(asked).rejects.toThrow();
});

test("Retry-After may be seconds or a date", () => {
  const response = (value: string) => new Response(null, { headers: { "retry-after": value } });
  expect(retryAfter(response("3"))).toBe(3000);
  expect(retryAfter(response("Thu, 01 Jan 1970 00:00:10 GMT"), 4000)).toBe(6000);
  expect(retryAfter(response("Thu, 01 Jan 1970 00:00:10 GMT"), 20_000)).toBe(0);
  expect(retryAfter(response("soon"))).toBeNull();
  expect(retryAfter(new Response())).toBeNull();
});

test("the models' cards are received as data, whatever form older and newer services give them", async () => {
  const model = () => client.model(new AbortController().signal);
  const cardsAre = (reply: (request: Request) => Response) => server.use(http.get(`${SERVICE}/model`, ({ request }) => reply(request)));
  cardsAre((request) => (request.headers.get("accept")?.includes("text/html") ? new HttpResponse("<h1>page</h1>") : HttpResponse.json(CARDS)));
  expect(await model()).toEqual(CARDS);
  const older = { ...CARDS.classifier.metrics?.["test"], curve: undefined }; // JSON leaves it out
  cardsAre(() => HttpResponse.json({ ...CARDS, classifier: { ...CARDS.classifier, metrics: { val: { ...older, news: 1 } } } }));
  expect((await model())?.classifier.metrics?.["val"]).toMatchObject({ news: 1 });
  for (const none of [() => busy(1), () => HttpResponse.error(), () => HttpResponse.json({ classifier: {} }), () => new HttpResponse("<h1>page</h1>")]) {
    cardsAre(none);
    expect(await model()).toBeNull();
  }
});

test("an explanation is received with its box, and its absence is told", async () => {
  const explain = () => client.explain(new Blob(["x"]), "a.jpg", new AbortController().signal);
  const explanation = { label: "male", base: 2.1, changes: [[0.5, -0.25]] };
  server.use(
    http.post(`${SERVICE}/predict`, ({ request }) =>
      HttpResponse.json({ ...answer("ok"), ...(new URL(request.url).searchParams.get("explain") === "true" && { explanation }) }),
    ),
  );
  expect(await explain()).toEqual({ kind: "explanation", map: { ...explanation, box: answer("ok").people[0]?.box } });
  for (const none of [null, undefined, { label: "male", base: 1, changes: [] }, { label: "male", base: 1, changes: [[]] }]) {
    replyWith(() => HttpResponse.json({ ...answer("ok"), explanation: none }));
    expect(await explain()).toEqual({ kind: "explanation", map: null });
  }
  replyWith(() => busy(7));
  expect(await explain()).toMatchObject({ kind: "fault", code: "overloaded" });
  replyWith(() => HttpResponse.error());
  expect(await explain()).toEqual({ kind: "no_answer", mayPass: true });
});

test("health is reported as received, and so is its absence", async () => {
  const health = () => client.health(new AbortController().signal);
  expect(await health()).toEqual({ kind: "report", health: HEALTHY });
  server.use(http.get(`${SERVICE}/health`, () => HttpResponse.json({ ...HEALTHY, status: "unavailable" }, { status: 503 })));
  expect(await health()).toMatchObject({ kind: "report", health: { status: "unavailable" } });
  server.use(http.get(`${SERVICE}/health`, () => busy(1)));
  expect(await health()).toEqual({ kind: "busy" });
  server.use(http.get(`${SERVICE}/health`, () => HttpResponse.error()));
  expect(await health()).toEqual({ kind: "no_answer" });
});
