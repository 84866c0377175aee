import { unparse } from "papaparse";
import type { Person } from "@/api/types";
import { text } from "@/text";
import { answersOf } from "../workspace/people";
import type { Photo } from "../workspace/session";

/** The code of a photo that has no answer yet. */
const UNFINISHED = "unfinished";
/** The code of a person whom the service did not answer about, because others are larger. */
const NOT_ASKED = "not_asked";

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
  "person",
  "box_left",
  "box_top",
  "box_right",
  "box_bottom",
] as const;

/** Text that a spreadsheet would run as a formula gets an apostrophe, because file names are untrusted. */
const FORMULA = /^[=+\-@\t\r]/;

type Row = Record<(typeof COLUMNS)[number], string | number | null>;

/** CSV with one row per photo, or per person where each has an answer, as spreadsheets expect it: UTF-8 with a byte order mark, CRLF, quoted. */
export function toCsv(photos: readonly Photo[]): string {
  const table = unparse(photos.flatMap(rows), { columns: [...COLUMNS], escapeFormulae: FORMULA });
  return `\ufeff${table}\r\n`;
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

function rows(photo: Photo): Row[] {
  const answers = answersOf(photo.outcome);
  const whole = row(photo);
  const people = photo.outcome?.answer?.people ?? [];
  const [only] = people;
  if (answers.length === 0) return [people.length === 1 && only ? { ...whole, ...place(only, 1) } : whole];
  return people.map((person, index) => {
    const answer = "code" in person ? person : null;
    return {
      ...whole,
      ...place(person, index + 1),
      code: answer?.code ?? NOT_ASKED,
      prediction: answer?.prediction ?? null,
      confidence: answer?.prediction ? answer.confidence : null,
      probability_female: answer?.probabilities["female"] ?? null,
      probability_male: answer?.probabilities["male"] ?? null,
      error: answer ? answer.error : text.export.notAskedText,
    };
  });
}

/** Which of the frames a row is about. */
function place({ box: [left, top, right, bottom] }: Person, number: number) {
  return { person: number, box_left: left, box_top: top, box_right: right, box_bottom: bottom };
}

/** What is known about the photo as a whole. */
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
    person: null,
    box_left: null,
    box_top: null,
    box_right: null,
    box_bottom: null,
  };
}
