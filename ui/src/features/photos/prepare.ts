import { MAX_IMAGE_BYTES } from "../../api/limits";
import type { PageProblem } from "./outcome";
import type { Reduced } from "./reduce";

export type Prepared =
  | { kind: "ready"; upload: Blob; thumbnail: Blob | null }
  | { kind: "refused"; problem: PageProblem };

/** Prepares a file for upload: scaled down when the browser can decode it, otherwise unchanged. */
export type Prepare = (file: File) => Promise<Prepared>;

/** Scales a photo down; null when the browser cannot decode it. */
export type Reduce = (file: File) => Promise<Reduced | null>;

export async function prepare(file: File, reduce: Reduce): Promise<Prepared> {
  if (file.size === 0) return { kind: "refused", problem: "empty_file" };
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    return { kind: "refused", problem: "unreadable_file" };
  }
  const reduced = await reduce(file);
  const upload = reduced?.upload ?? file;
  if (upload.size > MAX_IMAGE_BYTES) return { kind: "refused", problem: "file_too_large" };
  return { kind: "ready", upload, thumbnail: reduced?.thumbnail ?? null };
}
