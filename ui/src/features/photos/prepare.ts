import { MAX_IMAGE_BYTES } from "../../api/limits";
import type { PageProblem } from "./outcome";
import type { Reduced } from "./reduce";

export type Prepared =
  | { kind: "ready"; upload: Blob; thumbnail: Blob | null }
  | { kind: "refused"; problem: PageProblem };

/** Makes a file ready to be sent: reduced when the browser can open it, as it is otherwise. */
export type Prepare = (file: File) => Promise<Prepared>;

/** Shrinks a photo; null when the browser cannot open it. */
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
