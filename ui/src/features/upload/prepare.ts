import { MAX_IMAGE_BYTES } from "@/api/limits";
import type { Prepared } from "../workspace/prepare";
import type { Reduce } from "./reduce";

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
