import type { Client } from "../../api/client";
import type { Code } from "../../api/types";
import { answered, problem, type Outcome } from "./outcome";
import type { Prepare } from "./prepare";

/** Photos in flight at a time: browsers open six connections to a server, and the health check needs one. */
export const PARALLEL = 4;
/** Failed connections before giving up. Retries come at once, then every second; a dead replica is replaced within seconds. */
export const BROKEN_TRIES = 6;
const BROKEN_WAIT_MS = 1000;
/** Codes of a service that will have room again. */
const PASSING: ReadonlySet<string> = new Set<Code>(["overloaded", "too_many_requests"]);
/** How long to keep retrying a photo while the service says that it is busy or warming up. */
export const BUSY_PATIENCE_MS = 120_000;
const BUSY_WAIT_MS = 1000; // without a Retry-After

export type Phase = "queued" | "preparing" | "sending" | "busy" | "reconnecting" | "done";

export interface Photo {
  readonly id: number;
  readonly file: File;
  readonly name: string;
  readonly phase: Phase;
  /** Small image for the grid; null until it is ready, or when the browser cannot decode the file. */
  readonly thumbnail: Blob | null;
  /** Set if and only if the phase is done. */
  readonly outcome: Outcome | null;
  /** Time of the next attempt (phases busy and reconnecting), milliseconds since the epoch. */
  readonly resumesAt: number | null;
}

/** The photos of this visit and their requests. Kept in memory only; subscribers get an immutable list. */
export class PhotoSession {
  readonly #client: Pick<Client, "predict">;
  readonly #prepare: Prepare;
  readonly #subscribers = new Set<() => void>();
  readonly #running = new Map<number, AbortController>();
  #photos: readonly Photo[] = [];
  #lastId = 0;
  #busyUntil = 0;

  constructor(client: Pick<Client, "predict">, prepare: Prepare) {
    this.#client = client;
    this.#prepare = prepare;
  }

  readonly subscribe = (subscriber: () => void): (() => void) => {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  };

  readonly photos = (): readonly Photo[] => this.#photos;

  add(files: readonly File[]): void {
    const added = files.map((file): Photo => {
      return { id: ++this.#lastId, file, name: file.name || "Photo", phase: "queued", thumbnail: null, outcome: null, resumesAt: null };
    });
    this.#publish([...this.#photos, ...added]);
    this.#startQueued();
  }

  /** Starts over with these files. */
  replace(files: readonly File[]): void {
    this.clear();
    this.add(files);
  }

  /** Removes all photos and aborts their requests. */
  clear(): void {
    for (const controller of this.#running.values()) controller.abort();
    this.#running.clear();
    this.#publish([]);
  }

  cancel(id: number): void {
    this.#running.get(id)?.abort();
    this.#running.delete(id);
    this.#update(id, (photo) => (photo.phase === "done" ? photo : { ...photo, phase: "done", outcome: problem("cancelled"), resumesAt: null }));
    this.#startQueued();
  }

  cancelAll(): void {
    for (const controller of this.#running.values()) controller.abort();
    this.#running.clear();
    this.#publish(
      this.#photos.map((photo) =>
        photo.phase === "done" ? photo : { ...photo, phase: "done", outcome: problem("cancelled"), resumesAt: null },
      ),
    );
  }

  retry(ids: readonly number[]): void {
    const again = new Set(ids);
    this.#busyUntil = 0;
    this.#publish(
      this.#photos.map((photo) => (again.has(photo.id) && photo.phase === "done" ? { ...photo, phase: "queued", outcome: null } : photo)),
    );
    this.#startQueued();
  }

  #startQueued(): void {
    for (const photo of this.#photos) {
      if (this.#running.size >= PARALLEL) return;
      if (photo.phase === "queued") void this.#work(photo);
    }
  }

  async #work(photo: Photo): Promise<void> {
    const controller = new AbortController();
    this.#running.set(photo.id, controller);
    const { signal } = controller;
    const set = (change: Partial<Photo>) => {
      if (!signal.aborted) this.#update(photo.id, (current) => ({ ...current, ...change }));
    };
    let outcome: Outcome;
    try {
      outcome = await this.#ask(photo.file, signal, set);
    } catch (error) {
      if (signal.aborted) return; // the code that aborted has already set or removed the photo
      console.error(error);
      outcome = problem("unexpected_answer");
    }
    set({ phase: "done", outcome, resumesAt: null });
    if (this.#running.get(photo.id) === controller) this.#running.delete(photo.id);
    this.#startQueued();
  }

  async #ask(file: File, signal: AbortSignal, set: (change: Partial<Photo>) => void): Promise<Outcome> {
    set({ phase: "preparing" });
    const prepared = await this.#prepare(file);
    signal.throwIfAborted();
    if (prepared.kind === "refused") return problem(prepared.problem);
    set({ thumbnail: prepared.thumbnail });
    const giveUpAt = Date.now() + BUSY_PATIENCE_MS;
    let broken = 0;
    for (;;) {
      // When one photo is rejected as overload, all wait: the service has no room for the others either.
      while (this.#busyUntil > Date.now()) {
        set({ phase: "busy", resumesAt: this.#busyUntil });
        await sleep(this.#busyUntil - Date.now(), signal);
      }
      set({ phase: "sending", resumesAt: null });
      const reply = await this.#client.predict(prepared.upload, file.name, signal);
      signal.throwIfAborted();
      if (reply.kind === "answer") return answered(reply.answer);
      if (reply.kind === "fault") {
        if (!PASSING.has(reply.code) || Date.now() >= giveUpAt) {
          return { code: reply.code, answer: null, text: reply.text, requestId: reply.requestId };
        }
        this.#busyUntil = Math.max(this.#busyUntil, Date.now() + (reply.retryAfterMs ?? BUSY_WAIT_MS));
        continue;
      }
      if (!reply.mayPass) return problem("unexpected_answer");
      if (++broken >= BROKEN_TRIES) return problem("unreachable");
      const wait = broken === 1 ? 0 : BROKEN_WAIT_MS;
      set({ phase: "reconnecting", resumesAt: Date.now() + wait });
      await sleep(wait, signal);
    }
  }

  #update(id: number, change: (photo: Photo) => Photo): void {
    this.#publish(this.#photos.map((photo) => (photo.id === id ? change(photo) : photo)));
  }

  #publish(photos: readonly Photo[]): void {
    this.#photos = photos;
    for (const subscriber of this.#subscribers) subscriber();
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
