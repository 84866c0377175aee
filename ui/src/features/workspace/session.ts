import type { Client } from "@/api/client";
import type { Code } from "@/api/types";
import { text } from "@/text";
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
/** The steps of photos in work are told together, at most so often: of a thousand photos, each step would draw the whole page. */
const TOLD_EVERY_MS = 100;

export type Phase = "queued" | "preparing" | "sending" | "busy" | "reconnecting" | "done";

export interface Photo {
  /** When it was added, in milliseconds since the epoch, or a little later: no two are equal, also over visits. */
  readonly id: number;
  /** Null when the photo is from an earlier visit that kept only its answer. */
  readonly file: File | null;
  readonly name: string;
  readonly phase: Phase;
  /** What is sent instead of the file, once it is known. */
  readonly upload: Blob | null;
  /** Small image for the grid; null until it is ready, or when the browser cannot decode the file. */
  readonly thumbnail: Blob | null;
  /** What is shown where the browser cannot show the file. */
  readonly preview?: Blob | "coming" | null;
  /** Set if and only if the phase is done. */
  readonly outcome: Outcome | null;
  /** Time of the next attempt (phases busy and reconnecting), milliseconds since the epoch. */
  readonly resumesAt: number | null;
}

/** A photo's part of the address. */
export const slugOf = (id: number): string => id.toString(36);

/** The photos of this browser and their requests. Subscribers get an immutable list. */
export class PhotoSession {
  readonly #client: Pick<Client, "predict">;
  readonly #prepare: Prepare;
  readonly #subscribers = new Set<() => void>();
  readonly #running = new Map<number, AbortController>();
  #photos: readonly Photo[] = [];
  #removed: readonly Photo[] = [];
  #lastId = 0;
  #busyUntil = 0;
  #telling: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Pick<Client, "predict">, prepare: Prepare) {
    this.#client = client;
    this.#prepare = prepare;
  }

  readonly subscribe = (subscriber: () => void): (() => void) => {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  };

  readonly photos = (): readonly Photo[] => this.#photos;

  /** What was removed last, and `undo` brings back. */
  readonly removed = (): readonly Photo[] => this.#removed;

  /** Adds photos and returns their ids. */
  add(files: readonly File[]): number[] {
    const added = files.map((file): Photo => {
      this.#lastId = Math.max(this.#lastId + 1, Date.now());
      return { ...NEW, id: this.#lastId, file, name: file.name || text.photo.unnamed };
    });
    this.#removed = [];
    this.#publish([...this.#photos, ...added]);
    this.#startQueued();
    return added.map(({ id }) => id);
  }

  /** Brings back the photos of an earlier visit; those without an answer are sent, if they were kept themselves. */
  restore(kept: readonly Pick<Photo, "id" | "name" | "file" | "thumbnail" | "outcome">[]): void {
    const here = new Set(this.#photos.map(({ id }) => id));
    const restored = kept
      .filter(({ id }) => !here.has(id))
      .map((photo): Photo => {
        const outcome = photo.outcome ?? (photo.file ? null : problem("not_kept"));
        return { ...NEW, ...photo, outcome, phase: outcome ? "done" : "queued" };
      });
    this.#publish([...this.#photos, ...restored].sort((a, b) => a.id - b.id));
    this.#startQueued();
  }

  /** Removes photos and aborts their requests, until `undo`. */
  remove(ids: readonly number[]): void {
    const gone = new Set(ids);
    for (const id of ids) this.#abort(id);
    this.#removed = this.#photos.filter(({ id }) => gone.has(id));
    this.#publish(this.#photos.filter(({ id }) => !gone.has(id)));
    this.#startQueued();
  }

  undo(): void {
    const back = this.#removed.map((photo): Photo => (photo.outcome ? photo : { ...photo, phase: "queued", resumesAt: null }));
    this.#removed = [];
    this.#publish([...this.#photos, ...back].sort((a, b) => a.id - b.id));
    this.#startQueued();
  }

  /** What was removed last stays so. */
  forgetRemoved(): void {
    this.#removed = [];
    this.#publish(this.#photos);
  }

  cancel(id: number): void {
    this.#abort(id);
    this.#publish(this.#photos.map((photo) => (photo.id === id ? cancelled(photo) : photo)));
    this.#startQueued();
  }

  cancelAll(): void {
    for (const id of this.#running.keys()) this.#abort(id);
    this.#publish(this.#photos.map(cancelled));
  }

  retry(ids: readonly number[]): void {
    const again = new Set(ids);
    this.#busyUntil = 0;
    this.#publish(
      this.#photos.map((photo) =>
        again.has(photo.id) && photo.phase === "done" && photo.file ? { ...photo, phase: "queued", outcome: null } : photo,
      ),
    );
    this.#startQueued();
  }

  /** Sends again what did not reach the service: it answers again. */
  resume(): void {
    const unreached = this.#photos.filter(({ outcome }) => outcome?.code === "unreachable");
    if (unreached.length > 0) this.retry(unreached.map(({ id }) => id));
  }

  #abort(id: number): void {
    this.#running.get(id)?.abort();
    this.#running.delete(id);
  }

  #startQueued(): void {
    for (const photo of this.#photos) {
      if (this.#running.size >= PARALLEL) return;
      if (photo.phase === "queued") void this.#work(photo);
    }
  }

  async #work(photo: Photo): Promise<void> {
    if (!photo.file) return; // only what has a file is ever queued
    const controller = new AbortController();
    this.#running.set(photo.id, controller);
    const { signal } = controller;
    const set = (change: Partial<Photo>) => {
      if (signal.aborted) return;
      this.#photos = this.#photos.map((current) => (current.id === photo.id ? { ...current, ...change } : current));
      this.#telling ??= setTimeout(() => this.#publish(this.#photos), TOLD_EVERY_MS);
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
    const { upload, thumbnail, preview } = prepared;
    set({ upload, thumbnail, preview: preview ? "coming" : null });
    void preview?.then((made) => set(made ?? { preview: null }));
    const giveUpAt = Date.now() + BUSY_PATIENCE_MS;
    let broken = 0;
    for (;;) {
      // When one photo is rejected as overload, all wait: the service has no room for the others either.
      while (this.#busyUntil > Date.now()) {
        set({ phase: "busy", resumesAt: this.#busyUntil });
        await sleep(this.#busyUntil - Date.now(), signal);
      }
      set({ phase: "sending", resumesAt: null });
      const reply = await this.#client.predict(upload, file.name, signal);
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

  #publish(photos: readonly Photo[]): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#photos = photos;
    for (const subscriber of this.#subscribers) subscriber();
  }
}

const NEW = { phase: "queued", upload: null, thumbnail: null, outcome: null, resumesAt: null } as const;

const cancelled = (photo: Photo): Photo =>
  photo.phase === "done" ? photo : { ...photo, phase: "done", outcome: problem("cancelled"), resumesAt: null };

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
