import { Progress } from "radix-ui";
import type { RefObject } from "react";
import { Icon } from "@/shared/Icon";
import { useCountdown } from "@/shared/useCountdown";
import { text } from "@/text";
import type { Counts } from "../workspace/arrange";
import type { Photo } from "../workspace/session";
import styles from "./Summary.module.css";

interface Props {
  photos: readonly Photo[];
  counts: Counts;
  title: RefObject<HTMLHeadingElement | null>;
  onCancel: () => void;
}

const words = text.gallery;

/** How many photos have which kind of answer, and how far the rest is. */
export function Summary({ photos, counts, title, onCancel }: Props) {
  const waits = photos.flatMap(({ resumesAt }) => (resumesAt === null ? [] : [resumesAt]));
  const seconds = useCountdown(waits.length > 0 ? Math.min(...waits) : null);
  const { done } = counts;
  const finished = done === photos.length;
  return (
    <div className={styles["summary"]}>
      <h1 ref={title} tabIndex={-1}>
        {text.titles.photos(done, photos.length)}
      </h1>
      <p>{waits.length > 0 ? words.busy(seconds) : words.counts(counts)}</p>
      {!finished && (
        <button type="button" className="button" onClick={onCancel}>
          <Icon name="close" /> {words.cancelRest}
        </button>
      )}
      <Progress.Root
        className={styles["progress"]}
        value={done}
        max={photos.length}
        aria-label={words.progress}
        data-finished={finished || undefined}
      >
        <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
          <Share of={counts.answered} from={0} all={photos.length} kind="answered" />
          <Share of={counts.unsure} from={counts.answered} all={photos.length} kind="unsure" />
          <Share of={counts.without} from={counts.answered + counts.unsure} all={photos.length} kind="without" />
        </svg>
      </Progress.Root>
    </div>
  );
}

function Share({ of, from, all, kind }: { of: number; from: number; all: number; kind: "answered" | "unsure" | "without" }) {
  return <rect className={styles[kind]} x={(100 * from) / all} width={(100 * of) / all} height="1" />;
}
