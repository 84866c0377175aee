import { clear, createStore, delMany, entries, setMany, type UseStore } from "idb-keyval";
import type { Outcome } from "./outcome";
import type { Photo, PhotoSession } from "./session";

const WEEK_MS = 7 * 24 * 3600 * 1000;

interface KeptAnswer {
  name: string;
  outcome: Outcome | null;
}
interface KeptPhoto {
  photo: Blob;
  thumbnail: Blob | null;
}

/**
 * Keeps a session in the browser's IndexedDB: always the answers, and the photos themselves only when asked to.
 *
 * Photos have their own ids, so two tabs write beside each other and never over each other. Where the browser stores nothing, the
 * session lasts until the page is closed.
 */
export class Keeper {
  readonly #session: PhotoSession;
  readonly #answers: UseStore | null = open("answers");
  readonly #photos: UseStore | null = open("photos");
  #written = new Map<number, Photo>();
  #withPhotos = false;
  #started: Promise<void> | null = null;
  #queue: Promise<void> = Promise.resolve();
  #dirty = false;
  #onFull: () => void = () => undefined;

  constructor(session: PhotoSession) {
    this.#session = session;
  }

  /** Brings back what was kept, and keeps what comes. Without `withPhotos`, photos that only a reload had kept are forgotten. */
  start(withPhotos: boolean, now = Date.now()): Promise<void> {
    return (this.#started ??= this.#start(withPhotos, now));
  }

  async #start(withPhotos: boolean, now: number): Promise<void> {
    this.#withPhotos = withPhotos;
    if (!this.#answers || !this.#photos) return;
    try {
      const files = new Map<number, KeptPhoto>(await entries<number, KeptPhoto>(this.#photos));
      const answers = await entries<number, KeptAnswer>(this.#answers);
      const old = answers.map(([id]) => id).filter((id) => id < now - WEEK_MS);
      await delMany(old, this.#answers);
      await delMany(old, this.#photos);
      if (!withPhotos) await clear(this.#photos);
      this.#session.restore(
        answers
          .filter(([id]) => !old.includes(id))
          .map(([id, { name, outcome }]) => {
            const kept = files.get(id);
            const file = kept ? new File([kept.photo], name, { type: kept.photo.type }) : null;
            return { id, name, outcome, file, thumbnail: kept?.thumbnail ?? null };
          }),
      );
      this.#written = new Map(this.#session.photos().map((photo) => [photo.id, photo]));
    } catch (error) {
      console.warn("nothing could be read from this browser's storage", error);
    }
    this.#session.subscribe(() => this.#write());
    this.#write();
  }

  /** Whether photos are kept from now on; those that were are forgotten when not. `onFull` is told when there is no room. */
  keepPhotos(withPhotos: boolean, onFull: () => void): void {
    this.#withPhotos = withPhotos;
    this.#onFull = onFull;
    this.#written.clear();
    if (!withPhotos && this.#photos) void clear(this.#photos).catch(() => undefined);
    this.#write();
  }

  /** Resolves when all is written, with the photos: then a reload loses nothing. */
  async keepForReload(): Promise<void> {
    this.#withPhotos = true;
    this.#written.clear();
    this.#write();
    let last;
    do {
      last = this.#queue;
      await last;
    } while (last !== this.#queue);
  }

  /** Writes what has changed, one transaction after the other: changes that come meanwhile are written together. */
  #write(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#queue = this.#queue.then(async () => {
      this.#dirty = false;
      await this.#writeNow();
    });
  }

  async #writeNow(): Promise<void> {
    if (!this.#answers || !this.#photos) return;
    const photos = this.#session.photos();
    const here = new Set(photos.map(({ id }) => id));
    const gone = [...this.#written.keys()].filter((id) => !here.has(id));
    const changed = photos.filter((photo) => {
      const before = this.#written.get(photo.id);
      return before?.outcome !== photo.outcome || before.upload !== photo.upload || before.thumbnail !== photo.thumbnail;
    });
    for (const id of gone) this.#written.delete(id);
    for (const photo of changed) this.#written.set(photo.id, photo);
    try {
      if (gone.length > 0) {
        await delMany(gone, this.#answers);
        await delMany(gone, this.#photos);
      }
      if (changed.length > 0) {
        await setMany(
          changed.map(({ id, name, outcome }): [number, KeptAnswer] => [id, { name, outcome }]),
          this.#answers,
        );
      }
    } catch (error) {
      console.warn("the answers could not be kept in this browser", error);
    }
    if (!this.#withPhotos) return;
    try {
      const kept = changed.flatMap(({ id, file, upload, thumbnail }): [number, KeptPhoto][] => {
        const photo = upload ?? file;
        return photo ? [[id, { photo, thumbnail }]] : [];
      });
      if (kept.length > 0) await setMany(kept, this.#photos);
    } catch (error) {
      console.warn("the photos could not be kept in this browser", error);
      this.#onFull();
    }
  }
}

function open(name: string): UseStore | null {
  return typeof indexedDB === "undefined" ? null : createStore(`gender-presentation-${name}`, name);
}
