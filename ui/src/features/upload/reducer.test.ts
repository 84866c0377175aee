import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startReducer } from "./reducer";

const photo = new File(["x"], "a.jpg");
let workers: FakeWorker[] = [];

/** Hears what Comlink sends, and answers what the test wants. */
class FakeWorker extends EventTarget {
  asked: string[] = [];
  terminate = vi.fn();
  postMessage({ id }: { id: string }) {
    this.asked.push(id);
  }
  answer(value: unknown) {
    this.dispatchEvent(new MessageEvent("message", { data: { id: this.asked.shift(), type: "RAW", value } }));
  }
}

beforeEach(() => {
  workers = [];
  vi.stubGlobal("OffscreenCanvas", EventTarget); // that there is one is enough
  vi.stubGlobal(
    "Worker",
    class extends FakeWorker {
      constructor() {
        super();
        workers.push(this);
      }
    },
  );
});
afterEach(() => vi.unstubAllGlobals());

const asked = (worker: number) => vi.waitFor(() => expect(workers[worker]?.asked.length).toBeGreaterThan(0));

test("photos are reduced in one worker", async () => {
  const reduce = startReducer();
  for (const upload of ["first", "second"]) {
    const reduced = reduce(photo);
    await asked(0);
    workers[0]?.answer({ upload, thumbnail: null });
    expect(await reduced).toEqual({ upload, thumbnail: null });
  }
  expect(workers).toHaveLength(1);
});

test("a worker that dies keeps no photo waiting, and the next photo gets another one", async () => {
  const reduce = startReducer();
  const both = Promise.all([reduce(photo), reduce(photo)]);
  await asked(0);
  workers[0]?.dispatchEvent(new Event("error"));
  expect(await both).toEqual([null, null]);
  expect(workers[0]?.terminate).toHaveBeenCalled();
  void reduce(photo);
  await asked(1);
});

test("where there are no workers, photos are sent as they are", async () => {
  vi.stubGlobal("OffscreenCanvas", undefined);
  expect(await startReducer()(photo)).toBeNull();
  expect(workers).toHaveLength(0);
});
