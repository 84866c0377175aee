import { MAX_IMAGE_BYTES } from "@/api/limits";
import type { Code } from "@/api/types";
import { text } from ".";

/** What can go wrong before a photo reaches the service, in transit, or afterwards. */
export type PageProblem =
  | "file_too_large"
  | "empty_file"
  | "unreadable_file"
  | "unreachable"
  | "unexpected_answer"
  | "cancelled"
  | "not_kept";

interface Kind {
  /** answer: a prediction, or that the model is unsure; photo: a problem with this photo; fault: a problem with the connection or the service. */
  tone: "answer" | "photo" | "fault";
  /** Whether retrying the same photo may help. */
  retry: boolean;
}

export interface Message extends Kind {
  title: string;
  /** What to do. */
  advice: string;
  /** One or two words, for cards and tables. */
  short: string;
}

export const MEBIBYTES = MAX_IMAGE_BYTES / 2 ** 20;
const FORMAT_NAMES = "JPEG, HEIC, AVIF, PNG, WebP, GIF, BMP, TIFF";
export const FORMATS = new Intl.ListFormat(text.locale, { type: "disjunction" }).format(FORMAT_NAMES.split(", "));

const KINDS: Record<Code | PageProblem, Kind> = {
  ok: { tone: "answer", retry: false },
  no_person: { tone: "photo", retry: false },
  multiple_people: { tone: "photo", retry: false },
  unsure: { tone: "answer", retry: false },
  not_an_image: { tone: "photo", retry: false },
  corrupt_image: { tone: "photo", retry: false },
  image_too_large: { tone: "photo", retry: false },
  bad_request: { tone: "fault", retry: true },
  unauthorized: { tone: "fault", retry: false },
  too_many_requests: { tone: "fault", retry: true },
  not_found: { tone: "fault", retry: true },
  method_not_allowed: { tone: "fault", retry: true },
  overloaded: { tone: "fault", retry: true },
  timeout: { tone: "fault", retry: true },
  internal: { tone: "fault", retry: true },
  file_too_large: { tone: "photo", retry: false },
  empty_file: { tone: "photo", retry: false },
  unreadable_file: { tone: "photo", retry: true },
  unreachable: { tone: "fault", retry: true },
  unexpected_answer: { tone: "fault", retry: true },
  cancelled: { tone: "fault", retry: true },
  not_kept: { tone: "photo", retry: false },
};

const filled = (words: string): string => words.replace("{formats}", FORMATS).replace("{mebibytes}", String(MEBIBYTES));

/** All messages: one for each of the service's codes, and one for each problem that only the page knows. */
export const MESSAGES = Object.fromEntries(
  Object.entries(KINDS).map(([code, kind]) => {
    const { title, advice, short } = text.messages[code as keyof typeof KINDS];
    return [code, { title: filled(title), advice: filled(advice), short, ...kind }];
  }),
) as Record<Code | PageProblem, Message>;

const KNOWN = new Map<string, Message>(Object.entries(MESSAGES));

/** The message of a code; also of one that the service has learnt after this page was made. */
export const messageOf = (code: string): Message => KNOWN.get(code) ?? { ...text.messages.unknown, short: code, tone: "fault", retry: true };
