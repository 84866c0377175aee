import { isAnswer, isFault, isHealth } from "./shapes";
import type { Answer, Health } from "./types";

/** Longer than the sum of the service's own deadlines, so no answer can come later. */
const PATIENCE_MS = 90_000;

export type Reply =
  | { kind: "answer"; answer: Answer }
  | { kind: "fault"; code: string; text: string; requestId: string; retryAfterMs: number | null }
  /** No answer from the service: connection refused or lost, or a proxy answered instead. */
  | { kind: "no_answer"; mayPass: boolean };

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
    const form = new FormData();
    form.append("file", photo, filename || "photo");
    try {
      const response = await fetch(predictUrl(this.#apiUrl), {
        method: "POST",
        body: form,
        signal: withTimeout(signal, PATIENCE_MS),
      });
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
