import { isAnswer, isExplanation, isFault, isHealth, isModelCards } from "./shapes.js";
import type { Answer, Explanation, Health, ModelCards, Person } from "./types.js";

/** Longer than the sum of the service's own deadlines, so no answer can come later. */
const PATIENCE_MS = 90_000;

export type Replied<Body> =
  | { kind: "answer"; answer: Body }
  | { kind: "fault"; code: string; text: string; requestId: string; retryAfterMs: number | null }
  /** No answer from the service: connection refused or lost, or a proxy answered instead. */
  | { kind: "no_answer"; mayPass: boolean };

export type Reply = Replied<Answer>;

/** What an answer hangs on, over a box of the photo. */
export type HeatMap = Explanation & Pick<Person, "box">;

/** The heat map is null where the service has none: it is for photos of exactly one person, and older services know none. */
export type Explained = { kind: "explanation"; map: HeatMap | null } | Exclude<Reply, { kind: "answer" }>;

export type HealthReport = { kind: "report"; health: Health } | { kind: "busy" } | { kind: "no_answer" };

const PREDICT = "/predict?people=each";

/** Where photos are sent: each person gets an answer of their own. */
export const predictUrl = (apiUrl: string): string => apiUrl + PREDICT;

export class Client {
  readonly #apiUrl: string;
  readonly #patienceMs: number;

  constructor(apiUrl: string, patienceMs = PATIENCE_MS) {
    this.#apiUrl = apiUrl;
    this.#patienceMs = patienceMs;
  }

  /** Requests a prediction for each person of one photo; older services answer about one person only. Throws only when `signal` aborts. */
  async predict(photo: Blob, filename?: string, signal?: AbortSignal): Promise<Reply> {
    return this.post(PREDICT, photoForm(photo, filename), isAnswer, signal);
  }

  /** Requests what the answer about the one person of a photo hangs on. Throws only when `signal` aborts. */
  async explain(photo: Blob, filename?: string, signal?: AbortSignal): Promise<Explained> {
    const reply = await this.post("/predict?explain=true", photoForm(photo, filename), isAnswer, signal);
    if (reply.kind !== "answer") return reply;
    const found: unknown = "explanation" in reply.answer ? reply.answer.explanation : null;
    const [person] = reply.answer.people;
    return { kind: "explanation", map: person && isExplanation(found) ? { ...found, box: person.box } : null };
  }

  protected async post<Body>(path: string, body: FormData, isBody: (body: unknown) => body is Body, signal?: AbortSignal): Promise<Replied<Body>> {
    // `AbortSignal.any` and `timeout` would say it, but browsers of 2023 lack the former.
    const either = new AbortController();
    const end = () => either.abort(signal?.reason);
    const timer = setTimeout(end, this.#patienceMs);
    if (signal?.aborted) end();
    signal?.addEventListener("abort", end);
    try {
      const response = await this.send(path, { method: "POST", body, signal: either.signal });
      const found = await json(response);
      if (isBody(found)) return { kind: "answer", answer: found };
      if (isFault(found)) {
        return { kind: "fault", code: found.code, text: found.error, requestId: found.request_id, retryAfterMs: retryAfter(response) };
      }
      return { kind: "no_answer", mayPass: response.status >= 500 || response.status === 429 };
    } catch (error) {
      if (signal?.aborted) throw error;
      return { kind: "no_answer", mayPass: true };
    } finally {
      clearTimeout(timer); // or Node would wait for it before it exits
      signal?.removeEventListener("abort", end);
    }
  }

  protected send(path: string, init: RequestInit): Promise<Response> {
    return fetch(this.#apiUrl + path, init);
  }

  /** The cards of the models in use; null when the service does not tell them. Throws only when `signal` aborts. */
  async model(signal?: AbortSignal): Promise<ModelCards | null> {
    try {
      // At the page's own origin, the same address is a page of it: the service goes by what is accepted.
      const body = await json(await this.send("/model", { signal: signal ?? null, headers: { accept: "application/json" } }));
      return isModelCards(body) ? body : null;
    } catch (error) {
      if (signal?.aborted) throw error;
      return null;
    }
  }

  async health(signal?: AbortSignal): Promise<HealthReport> {
    try {
      const response = await this.send("/health", { signal: signal ?? null, cache: "no-store" });
      const body = await json(response);
      if (isHealth(body)) return { kind: "report", health: body };
      return isFault(body) && body.code === "overloaded" ? { kind: "busy" } : { kind: "no_answer" };
    } catch (error) {
      if (signal?.aborted) throw error;
      return { kind: "no_answer" };
    }
  }
}

/** Milliseconds from a Retry-After header: seconds, or a date. */
export function retryAfter(response: Response, now = Date.now()): number | null {
  const value = response.headers.get("retry-after");
  if (!value) return null;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

function photoForm(photo: Blob, filename?: string): FormData {
  const form = new FormData();
  form.append("file", photo, filename || "photo");
  return form;
}

async function json(response: Response): Promise<object> {
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null ? body : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
