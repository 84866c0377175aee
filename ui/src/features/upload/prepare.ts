import { MAX_IMAGE_BYTES } from "@/api/limits";
import type { Prepared } from "../workspace/prepare";
import { isHeic, type Reduce } from "./reduce";

/** Makes what is sent of a file; `decode` is for the preview of what the browser itself cannot decode. */
export async function prepare(file: File, reduce: Reduce, decode: Reduce): Promise<Prepared> {
  if (file.size === 0) return { kind: "refused", problem: "empty_file" };
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    return { kind: "refused", problem: "unreadable_file" };
  }
  const reduced = await reduce(file);
  const upload = reduced?.upload ?? file;
  if (upload.size > MAX_IMAGE_BYTES) return { kind: "refused", problem: "file_too_large" };
  if (reduced || !(await isHeic(file))) return { kind: "ready", upload, thumbnail: reduced?.thumbnail ?? null };
  // The service reads it as it is.
  const preview = decode(file).then((made) => made?.upload && { preview: made.upload, thumbnail: made.thumbnail });
  return { kind: "ready", upload, thumbnail: null, preview: preview.then((made) => made ?? null) };
}
