import type { Answer, Code } from "../../api/types";

/** What can go wrong before a photo reaches the service, or in transit. */
export type PageProblem = "file_too_large" | "empty_file" | "unreadable_file" | "unreachable" | "unexpected_answer" | "cancelled";

export interface Outcome {
  code: Code | PageProblem;
  /** The service's answer about the photo; null when it has none. */
  answer: Answer | null;
  /** The service's message for people; null when the service did not answer. */
  text: string | null;
  requestId: string | null;
}

export const answered = (answer: Answer): Outcome => ({ code: answer.code, answer, text: answer.error, requestId: answer.request_id });

export const problem = (code: PageProblem): Outcome => ({ code, answer: null, text: null, requestId: null });
