import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import type { Client } from "@/api/client";
import { answer } from "@/testing/server";
import { Keeper } from "./keeper";
import type { Prepare } from "./prepare";
import { PhotoSession } from "./session";

type Predict = Client["predict"];
const OK: Predict = () => Promise.resolve({ kind: "answer", answer: answer("ok") });
const NEVER: Predict = () => new Promise(() => undefined);
const prepare: Prepare = (file) => Promise.resolve({ kind: "ready", upload: file, thumbnail: new Blob(["t"]) });
const file = (name: string) => new File(["x"], name, { type: "image/jpeg" });

async function visit(predict: Predict, { withPhotos = false, now = Date.now() } = {}) {
  const session = new PhotoSession({ predict }, prepare);
  const keeper = new Keeper(session);
  await keeper.start(withPhotos, now);
  return { session, keeper, seen: () => session.photos().map(({ name, file, outcome }) => [name, file !== null, outcome?.code]) };
}

const done = (session: PhotoSession) => vi.waitFor(() => expect(session.photos().every(({ outcome }) => outcome)).toBe(true));
/** Writing follows the change, and shows by what another visit reads. */
const later = (expected: unknown[], options = {}) =>
  vi.waitFor(async () => expect((await visit(NEVER, options)).seen()).toEqual(expected));

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

test("answers outlast the visit, photos do not", async () => {
  const { session } = await visit(OK);
  session.add([file("a.jpg"), file("b.jpg")]);
  await done(session);
  await later([["a.jpg", false, "ok"], ["b.jpg", false, "ok"]]);
});

test("photos outlast it when they are to be kept, and those without an answer are sent again", async () => {
  const { session } = await visit(NEVER, { withPhotos: true });
  session.add([file("a.jpg")]);
  await later([["a.jpg", true, undefined]], { withPhotos: true });
  const next = await visit(OK, { withPhotos: true });
  await done(next.session);
  expect(next.seen()).toEqual([["a.jpg", true, "ok"]]);
  next.keeper.keepPhotos(false, () => undefined);
  await later([["a.jpg", false, "ok"]], { withPhotos: true });
});

test("a reload of the page's own loses nothing, once", async () => {
  const { session, keeper } = await visit(NEVER);
  session.add([file("a.jpg")]);
  await keeper.keepForReload();
  expect((await visit(NEVER)).seen()).toEqual([["a.jpg", true, undefined]]);
  expect((await visit(NEVER)).seen()).toEqual([["a.jpg", false, "not_kept"]]);
});

test("what is removed is gone, until it is brought back", async () => {
  const { session } = await visit(OK);
  session.add([file("a.jpg"), file("b.jpg")]);
  await done(session);
  session.remove(session.photos().map(({ id }) => id));
  await later([]);
  session.undo();
  await later([["a.jpg", false, "ok"], ["b.jpg", false, "ok"]]);
});

test("after a week answers are forgotten", async () => {
  const { session } = await visit(OK);
  session.add([file("a.jpg")]);
  await done(session);
  await later([["a.jpg", false, "ok"]]);
  expect((await visit(NEVER, { now: Date.now() + 8 * 24 * 3600 * 1000 })).seen()).toEqual([]);
  await later([]);
});

test("two tabs do not overwrite each other", async () => {
  const one = await visit(OK);
  const other = await visit(OK);
  one.session.add([file("a.jpg")]);
  await done(one.session);
  await later([["a.jpg", false, "ok"]]);
  other.session.add([file("b.jpg")]);
  await done(other.session);
  await later([["a.jpg", false, "ok"], ["b.jpg", false, "ok"]]);
});
