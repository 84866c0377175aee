import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Reply } from "@/api/client";
import { answer } from "@/testing/server";
import type { Prepare } from "./prepare";
import { BROKEN_TRIES, BUSY_PATIENCE_MS, PARALLEL, PhotoSession } from "./session";

type Predict = (photo: Blob, name: string, signal: AbortSignal) => Promise<Reply>;

const OK: Reply = { kind: "answer", answer: answer("ok") };
const BROKEN: Reply = { kind: "no_answer", mayPass: true };
const busy = (ms: number | null): Reply => ({ kind: "fault", code: "overloaded", text: "busy", requestId: "1", retryAfterMs: ms });
const asTheyAre: Prepare = (file) => Promise.resolve({ kind: "ready", upload: file, thumbnail: null });
const files = (count: number) => Array.from({ length: count }, (_, index) => new File(["x"], `${index}.jpg`));

const start = (predict: Predict, prepare = asTheyAre) => new PhotoSession({ predict }, prepare);
const codes = (session: PhotoSession) => session.photos().map(({ outcome }) => outcome?.code);
const idOf = (session: PhotoSession, index: number) => session.photos()[index]?.id ?? -1;
const settle = () => vi.advanceTimersByTimeAsync(0);

/** Requests that stay pending until the test answers them. */
function held() {
  const open: { name: string; signal: AbortSignal; answer: (reply: Reply) => void }[] = [];
  const predict: Predict = (_, name, signal) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      open.push({ name, signal, answer: resolve });
    });
  return { open, predict };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("photos are sent a few at a time, in order, until all are done", async () => {
  const { open, predict } = held();
  const session = start(predict);
  session.add(files(6));
  await settle();
  expect(open.map(({ name }) => name)).toEqual(["0.jpg", "1.jpg", "2.jpg", "3.jpg"]);
  expect(open).toHaveLength(PARALLEL);
  open[1]?.answer(OK);
  await settle();
  expect(open.at(-1)?.name).toBe("4.jpg");
  for (let index = 0; index < 6; index++) {
    open[index]?.answer(OK);
    await settle();
  }
  expect(codes(session)).toEqual(Array(6).fill("ok"));
});

test("no photo is sent to a busy service before its Retry-After is over", async () => {
  const asked: number[] = [];
  let room = false;
  const session = start(() => {
    asked.push(Date.now());
    return Promise.resolve(room ? OK : busy(5000));
  });
  const begin = Date.now();
  session.add(files(10));
  await settle();
  expect(session.photos()[0]?.phase).toBe("busy");
  expect(session.photos()[0]?.resumesAt).toBe(begin + 5000);
  await vi.advanceTimersByTimeAsync(4990);
  expect(asked).toHaveLength(PARALLEL);
  room = true;
  await vi.advanceTimersByTimeAsync(20);
  expect(codes(session)).toEqual(Array(10).fill("ok"));
});

test("it gives up on a service that stays busy", async () => {
  const session = start(() => Promise.resolve(busy(10_000)));
  session.add(files(1));
  await vi.advanceTimersByTimeAsync(BUSY_PATIENCE_MS + 10_000);
  expect(codes(session)).toEqual(["overloaded"]);
});

test("a broken connection is retried at once, then every second, a limited number of times", async () => {
  const asked: number[] = [];
  const begin = Date.now();
  const session = start(() => {
    asked.push(Date.now() - begin);
    return Promise.resolve(BROKEN);
  });
  session.add(files(1));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toEqual([0, 0, 1000, 2000, 3000, 4000].slice(0, BROKEN_TRIES));
  expect(codes(session)).toEqual(["unreachable"]);
});

test("one photo's failure does not affect the others", async () => {
  const replies: Record<string, Reply> = {
    "0.jpg": { kind: "fault", code: "corrupt_image", text: "damaged", requestId: "1", retryAfterMs: null },
    "2.jpg": { kind: "no_answer", mayPass: false },
  };
  const session = start((_, name) => (name === "3.jpg" ? Promise.reject(new Error("a fault of ours")) : Promise.resolve(replies[name] ?? OK)));
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  session.add(files(5));
  await settle();
  expect(codes(session)).toEqual(["corrupt_image", "ok", "unexpected_answer", "unexpected_answer", "ok"]);
});

test("a file that the page rejects is never sent", async () => {
  const predict = vi.fn<Predict>();
  const session = start(predict, () => Promise.resolve({ kind: "refused", problem: "file_too_large" }));
  session.add(files(1));
  await settle();
  expect(codes(session)).toEqual(["file_too_large"]);
  expect(predict).not.toHaveBeenCalled();
});

test("a preview comes when it is ready, also after the answer, and changes nothing else", async () => {
  let made: (preview: { preview: Blob; thumbnail: Blob } | null) => void = () => undefined;
  const preview = new Promise<{ preview: Blob; thumbnail: Blob } | null>((resolve) => (made = resolve));
  const sent: Blob[] = [];
  const session = start(
    (photo) => {
      sent.push(photo);
      return Promise.resolve(OK);
    },
    (file) => Promise.resolve({ kind: "ready", upload: file, thumbnail: null, preview }),
  );
  session.add(files(1));
  await settle();
  const before = session.photos()[0];
  expect(before).toMatchObject({ preview: "coming", outcome: { code: "ok" } });
  const seen = { preview: new Blob(["p"]), thumbnail: new Blob(["t"]) };
  made(seen);
  await settle();
  expect(session.photos()).toEqual([{ ...before, ...seen }]);
  expect(sent).toEqual([before?.file]);
});

test("cancelling aborts the request and lets the next one start", async () => {
  const { open, predict } = held();
  const session = start(predict);
  session.add(files(5));
  await settle();
  session.cancel(idOf(session, 0));
  await settle();
  expect(open[0]?.signal.aborted).toBe(true);
  expect(codes(session)[0]).toBe("cancelled");
  expect(open.at(-1)?.name).toBe("4.jpg");
});

test("cancelling all keeps finished photos", async () => {
  const { open, predict } = held();
  const session = start(predict);
  session.add(files(6));
  await settle();
  open[0]?.answer(OK);
  await settle();
  session.cancelAll();
  expect(codes(session)).toEqual(["ok", ...Array<string>(5).fill("cancelled")]);
});

test("retrying sends only the chosen photos again", async () => {
  let reply: Reply = { kind: "no_answer", mayPass: false };
  const predict = vi.fn(() => Promise.resolve(reply));
  const session = start(predict);
  session.add(files(2));
  await settle();
  reply = OK;
  session.retry([idOf(session, 1)]);
  await settle();
  expect(codes(session)).toEqual(["unexpected_answer", "ok"]);
  expect(predict).toHaveBeenCalledTimes(3);
});

test("removing aborts, late answers change nothing, and undo brings all back and goes on", async () => {
  const { open, predict } = held();
  const session = start(predict);
  session.add(files(3));
  await settle();
  open[0]?.answer(OK);
  await settle();
  session.remove(session.photos().map(({ id }) => id));
  open[1]?.answer(OK);
  await settle();
  expect(session.photos()).toEqual([]);
  expect(open[1]?.signal.aborted).toBe(true);
  session.undo();
  await settle();
  expect(codes(session)).toEqual(["ok", undefined, undefined]);
  expect(open.slice(3).map(({ name }) => name)).toEqual(["1.jpg", "2.jpg"]);
  expect(session.removed()).toEqual([]);
});

test("a photo that is added does not replace others", () => {
  const session = start(held().predict);
  const ids = [...session.add(files(1)), ...session.add(files(1))];
  expect(session.photos().map(({ id }) => id)).toEqual(ids);
  expect(new Set(ids).size).toBe(2);
});

test("what did not reach the service is sent again when it answers, and nothing else", async () => {
  let reply: Reply = BROKEN;
  const session = start(() => Promise.resolve(reply));
  session.add(files(2));
  await vi.advanceTimersByTimeAsync(60_000);
  session.add(files(1));
  session.cancel(idOf(session, 2));
  expect(codes(session)).toEqual(["unreachable", "unreachable", "cancelled"]);
  reply = OK;
  session.resume();
  await settle();
  expect(codes(session)).toEqual(["ok", "ok", "cancelled"]);
});

test("of an earlier visit, answers are shown, kept photos are sent, and what was not kept says so", async () => {
  const session = start(() => Promise.resolve(OK));
  const kept = { name: "a.jpg", thumbnail: null };
  session.restore([
    { ...kept, id: 3, file: null, outcome: null },
    { ...kept, id: 1, file: null, outcome: { code: "no_person", answer: answer("no_person"), text: null, requestId: "1" } },
    { ...kept, id: 2, file: new File(["x"], "a.jpg"), outcome: null },
  ]);
  await settle();
  expect(codes(session)).toEqual(["no_person", "ok", "not_kept"]);
});
