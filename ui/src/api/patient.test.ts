import { beforeEach, expect, test, vi } from "vitest";
import openapi from "../../openapi.json";
import { answer, busy, fault, HEALTHY } from "../testing/server";
import { Client } from "./patient";

const BATCH = openapi.paths["/predict-batch"].post.responses["200"].content["application/json"].examples.batch.value;
const ok = () => Response.json(answer("ok"));
const died = () => new Response("<h1>502</h1>", { status: 502 });
const broken = () => {
  throw new TypeError("fetch failed");
};

let asked: { url: string; init: RequestInit | undefined; at: number }[];

/** What the service replies, in turn; the last reply stays. */
function replies(...all: [() => Response, ...(() => Response)[]]) {
  vi.spyOn(globalThis, "fetch").mockImplementation((url, init) => {
    asked.push({ url: url as string, init, at: Date.now() });
    return new Promise((resolve) => resolve((all[asked.length - 1] ?? all.at(-1) ?? broken)()));
  });
}

const pauses = () => asked.slice(1).map(({ at }, index) => at - (asked[index]?.at ?? 0));

const ask = async (client = new Client("http://service/"), signal?: AbortSignal) => {
  const reply = client.predict(new Blob(["x"]), "a.jpg", signal);
  await vi.runAllTimersAsync();
  return reply;
};

beforeEach(() => {
  asked = [];
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  return () => vi.useRealTimers();
});

test("a busy service is asked again when it says, and somewhat later by chance", async () => {
  replies(() => busy(4), () => busy(2), ok);
  expect(await ask()).toEqual({ kind: "answer", answer: answer("ok") });
  expect(pauses()).toEqual([5000, 2500]);
});

test.each([
  ["a connection that breaks", broken],
  ["a process that dies under the request", died],
])("after %s, the service is asked at once, and then every second", async (_, reply) => {
  replies(reply, reply, reply, ok);
  expect(await ask()).toMatchObject({ kind: "answer" });
  expect(pauses()).toEqual([0, 1250, 1250]);
});

test.each(["not_an_image", "timeout", "internal", "unauthorized"] as const)("%s is not asked about again", async (code) => {
  replies(() => Response.json(fault(code), { status: code === "internal" ? 500 : 400 }));
  expect(await ask()).toMatchObject({ kind: "fault", code, text: fault(code).error });
  expect(asked).toHaveLength(1);
});

test("what there is at the deadline is the answer", async () => {
  replies(() => busy(4));
  expect(await ask(new Client("http://service", { deadlineMs: 12_000 }))).toMatchObject({ kind: "fault", code: "overloaded", retryAfterMs: 4000 });
  expect(asked).toHaveLength(3);
  replies(broken);
  expect(await ask(new Client("http://service", { deadlineMs: 2000 }))).toEqual({ kind: "no_answer", mayPass: true });
});

test("a pause ends when the request is cancelled, and no timer is left", async () => {
  replies(() => busy(30));
  const controller = new AbortController();
  const reply = new Client("http://service").predict(new Blob(["x"]), "a.jpg", controller.signal);
  const ended = expect(reply).rejects.toThrow("enough");
  await vi.advanceTimersByTimeAsync(1000);
  controller.abort(new Error("enough"));
  await ended;
  expect(asked).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("an answer leaves no timer that would keep a program from its end", async () => {
  replies(ok);
  await new Client("http://service").predict(new Blob(["x"]));
  expect(vi.getTimerCount()).toBe(0);
});

test("a batch is one request, with a key if there is one", async () => {
  replies(() => Response.json(BATCH));
  const client = new Client("http://service/api/", { key: "secret" });
  expect(await client.predictBatch([new File(["x"], "a.jpg"), new File(["y"], "b.txt")])).toEqual({ kind: "answer", answer: BATCH });
  expect(asked[0]?.url).toBe("http://service/api/predict-batch?people=each");
  expect(new Headers(asked[0]?.init?.headers).get("authorization")).toBe("Bearer secret");
  expect((asked[0]?.init?.body as FormData).getAll("files").map((file) => (file as File).name)).toEqual(["a.jpg", "b.txt"]);
});

test("an item without its name is no batch", async () => {
  replies(() => Response.json({ results: [answer("ok")] }));
  expect(await new Client("http://service").predictBatch([new File(["x"], "a.jpg")])).toEqual({ kind: "no_answer", mayPass: false });
});

test("health is what it is now", async () => {
  replies(() => busy(4), () => Response.json(HEALTHY));
  expect(await new Client("http://service").health()).toEqual({ kind: "busy" });
});
