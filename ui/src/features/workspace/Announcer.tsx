import { labelOf, text } from "@/text";
import { messageOf } from "@/text/messages";
import { count } from "./arrange";
import { percent } from "./confidence";
import { answersOf, summary } from "./people";
import type { Photo } from "./session";

/** Announces changes to screen readers: the state of the photo that is shown, or the progress of many. */
export function Announcer({ photos, shown }: { photos: readonly Photo[]; shown: Photo | undefined }) {
  const only = shown ?? (photos.length === 1 ? photos[0] : undefined);
  return (
    <p className="visually-hidden" role="status">
      {only ? one(only) : progress(photos)}
    </p>
  );
}

function progress(photos: readonly Photo[]): string {
  if (photos.length === 0) return "";
  const counts = count(photos);
  if (counts.done === photos.length) return text.announce.all(photos.length, text.gallery.counts(counts));
  // Every tenth only: announcing each one would be too much to listen to.
  const step = Math.max(1, Math.floor(photos.length / 10));
  return text.announce.some(counts.done - (counts.done % step), photos.length);
}

function one({ phase, outcome }: Photo): string {
  if (outcome?.answer?.prediction) return text.announce.answer(labelOf(outcome.answer.prediction), percent(outcome.answer.confidence));
  if (answersOf(outcome).length > 0 && outcome) return `${summary(outcome)}.`;
  if (outcome) return `${messageOf(outcome.code).title}. ${messageOf(outcome.code).advice}`;
  if (phase === "busy") return text.announce.busy;
  return phase === "reconnecting" ? text.announce.reconnecting : text.announce.looking;
}
