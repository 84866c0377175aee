import { MESSAGES, percent } from "./messages";
import type { Photo } from "./session";

/** Announces changes to screen readers: the state of a single photo, or the progress of many. */
export function Announcer({ photos }: { photos: readonly Photo[] }) {
  return (
    <p className="visually-hidden" role="status">
      {announcement(photos)}
    </p>
  );
}

export function announcement(photos: readonly Photo[]): string {
  const [photo] = photos;
  if (!photo) return "";
  if (photos.length === 1) return one(photo);
  const done = photos.filter(({ phase }) => phase === "done").length;
  if (done === photos.length) {
    const answers = photos.filter(({ outcome }) => outcome?.code === "ok").length;
    return `All ${photos.length} photos are done: ${answers} with an answer, ${photos.length - answers} without.`;
  }
  // Every tenth only: announcing each one would be too much to listen to.
  const step = Math.max(1, Math.floor(photos.length / 10));
  return `${done - (done % step)} of ${photos.length} photos are done.`;
}

function one({ phase, outcome }: Photo): string {
  if (outcome?.answer?.prediction) return `The model sees ${outcome.answer.prediction} presentation, ${percent(outcome.answer.confidence)} confidence.`;
  if (outcome) return `${MESSAGES[outcome.code].title}. ${MESSAGES[outcome.code].advice}`;
  if (phase === "busy") return "The service is busy or warming up. Trying again soon.";
  return phase === "reconnecting" ? "The service does not answer. Trying again soon." : "Looking at the photo.";
}
