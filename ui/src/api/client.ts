import { isAnswer, isExplanation, isFault, isHealth, isModelCards } from "./shapes";
import type { Answer, Explanation, Health, ModelCards, Person } from "./types";

/** Longer than the sum of the service's own deadlines, so no answer can come later. */
const PATIENCE_MS = 90_000;

export type Reply =
  | { kind: "answer"; answer: Answer }
  | { kind: "fault"; code: string; text: string; requestId: string; retryAfterMs: number | null }
  /** No answer from the service: connection refused or lost, or a proxy answered instead. */
  | { kind: "no_answer"; mayPass: boolean };

/** What an answer hangs on, over a box of the photo. */
export type HeatMap = Explanation & Pick<Person, "box">;

/** The heat map is null where the service has none: it is for photos of exactly one person, and older services know none. */
export type Explained = { kind: "explanation"; map: HeatMap | null } | Exclude<Reply, { kind: "answer" }>;

export type HealthReport = { kind: "report"; health: Health } | { kind: "busy" } | { kind: "no_answer" };

/** Where photos are sent: each person gets an answer of their own. */
export const predictUrl = (apiUrl: string): string => `${apiUrl}/predict?people=each`;

export class Client {
  readonly #apiUrl: string;

  constructor(apiUrl: string) {
    this.#apiUrl = apiUrl;
  }

  /** Requests a prediction for each person of one photo; older services answer about one person only. Throws only when `signal` aborts. */
  async predict(photo: Blob, filename: string, signal: AbortSignal): Promise<Reply> {
    return this.#post(predictUrl(this.#apiUrl), photo, filename, signal);
  }

  /** Requests what the answer about the one person of a photo hangs on. Throws only when `signal` aborts. */
  async explain(photo: Blob, filename: string, signal: AbortSignal): Promise<Explained> {
    const reply = await this.#post(`${this.#apiUrl}/predict?explain=true`, photo, filename, signal);
    if (reply.kind !== "answer") return reply;
    const found: unknown = "explanation" in reply.answer ? reply.answer.explanation : null;
    const [person] = reply.answer.people;
    return { kind: "explanation", map: person && isExplanation(found) ? { ...found, box: person.box } : null };
  }

  async #post(url: string, photo: Blob, filename: string, signal: AbortSignal): Promise<Reply> {
    const form = new FormData();
    form.append("file", photo, filename || "photo");
    try {
      const response = await fetch(url, { method: "POST", body: form, signal: withTimeout(signal, PATIENCE_MS) });
      const body = await json(response);
      if (isAnswer(body)) return { kind: "answer", answer: body };
      if (isFault(body)) {
        return { kind: "fault", code: body.code, text: body.error, requestId: body.request_id, retryAfterMs: retryAfter(response) };
      }
      return { kind: "no_answer", mayPass: response.status >= 500 || response.status === 429 };
    } catch (error) {
      if (signal.aborted) throw error;
      return { kind: "no_answer", mayPass: true };
    }
  }

  /** The cards of the models in use; null when the service does not tell them. Throws only when `signal` aborts. */
  async model(signal: AbortSignal): Promise<ModelCards | null> {
    try {
      // At the page's own origin, the same address is a page of it: the service goes by what is accepted.
      const body = await json(await fetch(`${this.#apiUrl}/model`, { signal, headers: { accept: "application/json" } }));
      return isModelCards(body) ? body : null;
    } catch (error) {
      if (signal.aborted) throw error;
      return null;
    }
  }

  async health(signal: AbortSignal): Promise<HealthReport> {
    try {
      const response = await fetch(`${this.#apiUrl}/health`, { signal, cache: "no-store" });
      const body = await json(response);
      if (isHealth(body)) return { kind: "report", health: body };
      return isFault(body) && body.code === "overloaded" ? { kind: "busy" } : { kind: "no_answer" };
    } catch (error) {
      if (signal.aborted) throw error;
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

async function json(response: Response): Promise<object> {
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null ? body : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Aborts with `signal` and after `ms`. `AbortSignal.any` and `timeout` would say it, but browsers of 2023 lack the former. */
function withTimeout(signal: AbortSignal, ms: number): AbortSignal {
  const either = new AbortController();
  const timer = setTimeout(() => end(new DOMException("no answer in time", "TimeoutError")), ms);
  const end = (reason: unknown) => {
    clearTimeout(timer);
    signal.removeEventListener("abort", pass);
    either.abort(reason);
  };
  const pass = () => end(signal.reason);
  if (signal.aborted) pass();
  else signal.addEventListener("abort", pass, { once: true });
  return either.signal;
}
