// @vitest-environment node
import { expect, test, vi } from "vitest";
import { MAX_IMAGE_BYTES } from "@/api/limits";
import { prepare } from "./prepare";
import { fit, serviceReads, type Reduce } from "./reduce";

const thumbnail = new Blob(["t"]);
const cannotOpen: Reduce = () => Promise.resolve(null);
const sized = (size: number) => {
  const file = new File(["x"], "a.jpg");
  Object.defineProperty(file, "size", { value: size });
  return file;
};

test("a photo that the browser can decode is scaled down, however large the file is", async () => {
  const upload = new Blob(["small"]);
  const file = sized(60e6);
  expect(await prepare(file, () => Promise.resolve({ upload, thumbnail }), cannotOpen)).toEqual({ kind: "ready", upload, thumbnail });
});

test("a photo that is small enough is sent as it is", async () => {
  const file = sized(1000);
  expect(await prepare(file, () => Promise.resolve({ upload: null, thumbnail }), cannotOpen)).toEqual({ kind: "ready", upload: file, thumbnail });
});

test("a file that the browser cannot decode is sent as it is: the service says what is wrong", async () => {
  const file = sized(MAX_IMAGE_BYTES);
  expect(await prepare(file, cannotOpen, cannotOpen)).toEqual({ kind: "ready", upload: file, thumbnail: null });
});

const bytes = (head: string) => Uint8Array.from(head, (char) => char.charCodeAt(0));

test("HEIC that the browser cannot decode is sent as it is, and gets a preview", async () => {
  const file = new File([bytes("\0\0\0\x20ftypheic")], "a.heic");
  const preview = new Blob(["p"]);
  const decode = vi.fn<Reduce>(() => Promise.resolve({ upload: preview, thumbnail }));
  const prepared = await prepare(file, cannotOpen, decode);
  expect(prepared).toMatchObject({ kind: "ready", upload: file, thumbnail: null });
  expect(await (prepared.kind === "ready" ? prepared.preview : null)).toEqual({ preview, thumbnail });
  expect(decode).toHaveBeenCalledWith(file);

  const broken = await prepare(file, cannotOpen, cannotOpen);
  expect(await (broken.kind === "ready" ? broken.preview : undefined)).toBeNull();
});

test("nothing else is decoded by the page itself: neither HEIC that the browser can decode, nor another file that it cannot", async () => {
  const decode = vi.fn<Reduce>(cannotOpen);
  const heic = new File([bytes("\0\0\0\x20ftypheic")], "a.heic");
  await prepare(heic, () => Promise.resolve({ upload: new Blob(), thumbnail }), decode);
  await prepare(new File([bytes("II*\0")], "a.tiff"), cannotOpen, decode);
  await prepare(new File([bytes("\0\0\0\x20ftypisom")], "film.mp4"), cannotOpen, decode);
  expect(decode).not.toHaveBeenCalled();
});

test("a file that the browser cannot decode is rejected when it is too large for the service", async () => {
  expect(await prepare(sized(MAX_IMAGE_BYTES + 1), cannotOpen, cannotOpen)).toEqual({ kind: "refused", problem: "file_too_large" });
});

test("empty and vanished files are rejected without decoding them", async () => {
  const reduce = vi.fn(cannotOpen);
  expect(await prepare(new File([], "a.jpg"), reduce, cannotOpen)).toEqual({ kind: "refused", problem: "empty_file" });
  const gone = sized(5);
  gone.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")) }) as unknown as Blob;
  expect(await prepare(gone, reduce, cannotOpen)).toEqual({ kind: "refused", problem: "unreadable_file" });
  expect(reduce).not.toHaveBeenCalled();
});

test("photos are scaled to fit, never enlarged, and no side falls to 0 pixels", () => {
  expect(fit(4000, 3000, 1000)).toEqual([1000, 750]);
  expect(fit(300, 200, 1000)).toEqual([300, 200]);
  expect(fit(9000, 1, 1000)).toEqual([1000, 1]);
});

test.each([
  ["\xff\xd8\xff\xe0", true],
  ["\x89PNG\r\n\x1a\n", true],
  ["RIFF\x01\x02\x03\x04WEBP", true],
  ["\0\0\0\x20ftypheic", true],
  ["\0\0\0\x20ftypavif", true],
  ["\0\0\0\x20ftypisom", false],
  ["%PDF-1.7", false],
])("formats are recognised by their first bytes: %j", async (head, known) => {
  expect(await serviceReads(new Blob([bytes(head)]))).toBe(known);
});
