import type { PageProblem } from "@/text/messages";

export type Prepared =
  | { kind: "ready"; upload: Blob; thumbnail: Blob | null }
  | { kind: "refused"; problem: PageProblem };

/** Prepares a file for upload: scaled down when the browser can decode it, otherwise unchanged. */
export type Prepare = (file: File) => Promise<Prepared>;
