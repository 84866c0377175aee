import { Client as PageClient, type Replied, retryAfter } from "./client.js";
import { isBatchAnswer, isFault } from "./shapes.js";
import type { BatchAnswer } from "./types.js";

const DEADLINE_MS = 60_000;
const PAUSE_MS = 1000;
/** At most so much longer than the pause, or all who were refused together come back together. */
const JITTER = 0.5;
const BUSY = [429, 503];
/** Without a body of the service's own: a process died under the request, and is replaced within seconds. */
const DIED = [500, 502];

export interface Options {
  /** An API key, where the service wants one. */
  key?: string;
  /** For all attempts at one request together. */
  deadlineMs?: number;
}

/** The page's client for other programs: it has keys and batches, and asks again about photos as the service's README says. */
export class Client extends PageClient {
  readonly #key: string | undefined;
  readonly #deadlineMs: number;

  constructor(apiUrl: string, { key, deadlineMs = DEADLINE_MS }: Options = {}) {
    super(apiUrl.replace(/\/+$/, ""), deadlineMs);
    this.#key = key;
    this.#deadlineMs = deadlineMs;
  }

  /** Requests a prediction for each person of several photos, in their order, in one request. Throws only when `signal` aborts. */
  async predictBatch(photos: readonly File[], signal?: AbortSignal): Promise<Replied<BatchAnswer>> {
    const form = new FormData();
    for (const photo of photos) form.append("files", photo, photo.name);
    return this.post("/predict-batch?people=each", form, isBatchAnswer, signal);
  }

  protected override async send(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#key !== undefined) headers.set("authorization", `Bearer ${this.#key}`);
    const ask = () => super.send(path, { ...init, headers });
    return init.method === "POST" ? patiently(ask, Date.now() + this.#deadlineMs, init.signal) : ask();
  }
}

async function patiently(ask: () => Promise<Response>, endsAt: number, signal?: AbortSignal | null): Promise<Response> {
  for (let breaks = 0; ; ) {
    const [asked] = await Promise.allSettled([ask()]);
    const response = asked.status === "fulfilled" ? asked.value : null;
    let pause = 0;
    if (response && BUSY.includes(response.status)) pause = retryAfter(response) || PAUSE_MS;
    else if (response && !(await hasDied(response))) return response;
    else if (breaks++) pause = PAUSE_MS;
    pause *= 1 + JITTER * Math.random();
    if (signal?.aborted || Date.now() + pause >= endsAt) {
      if (asked.status === "fulfilled") return asked.value;
      throw asked.reason;
    }
    await response?.body?.cancel(); // frees the connection
    await sleep(pause, signal);
  }
}

async function hasDied(response: Response): Promise<boolean> {
  if (!DIED.includes(response.status)) return false;
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null);
  return !isFault(body);
}

/** Throws when `signal` aborts. */
function sleep(ms: number, signal?: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}
