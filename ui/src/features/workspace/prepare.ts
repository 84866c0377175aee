import type { PageProblem } from "@/text/messages";

/** What the page shows of a photo that the browser cannot decode. */
export interface Preview {
  preview: Blob;
  thumbnail: Blob;
}

export type Prepared =
  /** `preview`: of a photo that the browser cannot decode and the page can; it takes longer than the answer. */
  | { kind: "ready"; upload: Blob; thumbnail: Blob | null; preview?: Promise<Preview | null> }
  | { kind: "refused"; problem: PageProblem };

/** Prepares a file for upload: scaled down when the browser can decode it, otherwise unchanged. */
export type Prepare = (file: File) => Promise<Prepared>;
