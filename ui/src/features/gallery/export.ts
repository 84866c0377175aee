import { text } from "@/text";
import type { Photo } from "../workspace/session";

/** The code of a photo that has no answer yet. */
const UNFINISHED = "unfinished";

const COLUMNS = [
  "filename",
  "code",
  "prediction",
  "confidence",
  "probability_female",
  "probability_male",
  "person_count",
  "error",
  "request_id",
  "detector",
  "classifier",
] as const;

type Row = Record<(typeof COLUMNS)[number], string | number | null>;

/** CSV with one row per photo, as spreadsheets expect it: UTF-8 with a byte order mark, CRLF, quoted. */
export function toCsv(photos: readonly Photo[]): string {
  const lines = [COLUMNS.join(","), ...photos.map(row).map((row) => COLUMNS.map((column) => cell(row[column])).join(","))];
  return `\ufeff${lines.join("\r\n")}\r\n`;
}

/** The service's answers, each with its file name; photos without one have the same keys as in a batch response. */
export function toJson(photos: readonly Photo[]): string {
  const items = photos.map(({ name, outcome }) => {
    const none = { prediction: null, confidence: 0, person_count: 0, probabilities: null, people: [], model: null };
    if (!outcome) return { filename: name, ...none, error: text.export.unfinishedText, code: UNFINISHED, request_id: null };
    const { answer, code, text: error, requestId } = outcome;
    return { filename: name, ...(answer ?? { ...none, error, code, request_id: requestId }) };
  });
  return `${JSON.stringify(items, null, 2)}\n`;
}

export function download(text: string, filename: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  URL.revokeObjectURL(url);
}

function row({ name, outcome }: Photo): Row {
  const answer = outcome?.answer;
  return {
    filename: name,
    code: outcome?.code ?? UNFINISHED,
    prediction: answer?.prediction ?? null,
    confidence: answer?.prediction ? answer.confidence : null,
    probability_female: answer?.probabilities?.["female"] ?? null,
    probability_male: answer?.probabilities?.["male"] ?? null,
    person_count: answer?.person_count ?? null,
    error: outcome ? outcome.text : text.export.unfinishedText,
    request_id: outcome?.requestId ?? null,
    detector: answer?.model?.detector ?? null,
    classifier: answer?.model?.classifier ?? null,
  };
}

/** Quotes where needed. Text that a spreadsheet would run as a formula gets an apostrophe, because file names are untrusted. */
function cell(value: string | number | null): string {
  if (value === null) return "";
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
