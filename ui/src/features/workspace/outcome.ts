import type { Answer } from "@/api/types";
import type { PageProblem } from "@/text/messages";

export interface Outcome {
  /** One of the service's codes, also of a newer service than this page knows, or one of the page's own problems. */
  code: string;
  /** The service's answer about the photo; null when it has none. */
  answer: Answer | null;
  /** The service's message for people; null when the service did not answer. */
  text: string | null;
  requestId: string | null;
}

export const answered = (answer: Answer): Outcome => ({ code: answer.code, answer, text: answer.error, requestId: answer.request_id });

export const problem = (code: PageProblem): Outcome => ({ code, answer: null, text: null, requestId: null });

/** The more probable label with its probability, also where the model is unsure; null without probabilities. */
export function likeliest(probabilities: Record<string, number> | null | undefined): { label: string; share: number } | null {
  const [most] = Object.entries(probabilities ?? {}).sort(([, a], [, b]) => b - a);
  return most ? { label: most[0], share: most[1] } : null;
}
