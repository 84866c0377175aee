import { Progress, ToggleGroup } from "radix-ui";
import { memo, useEffect, useMemo, useRef } from "react";
import { Icon } from "../../shared/Icon";
import { useObjectUrl } from "../../shared/useObjectUrl";
import { arrange, canRetry, FILTERS, isFilter, isSort, SORTS, type Filter, type Sort } from "./arrange";
import { download, toCsv, toJson } from "./export";
import styles from "./Gallery.module.css";
import { MESSAGES, percent } from "./messages";
import type { Photo, PhotoSession } from "./session";
import { useCountdown } from "./useCountdown";

type Layout = "grid" | "table";

export interface Arrangement {
  layout: Layout;
  filter: Filter;
  sort: Sort;
}

interface Props {
  photos: readonly Photo[];
  session: PhotoSession;
  arrangement: Arrangement;
  onArrange: (arrangement: Arrangement) => void;
  onAdd: () => void;
  /** The photo last viewed, to which the focus returns. */
  returnTo: number | null;
}

/** Many photos: progress, a grid or a table with sorting and filters, and export of the answers. */
export default function Gallery({ photos, session, arrangement, onArrange, onAdd, returnTo }: Props) {
  const { layout, filter, sort } = arrangement;
  const shown = useMemo(() => arrange(photos, filter, sort), [photos, filter, sort]);
  const again = photos.filter(canRetry).map(({ id }) => id);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (returnTo !== null) list.current?.querySelector<HTMLElement>(`[data-photo="${returnTo}"]`)?.focus();
  }, [returnTo]);

  return (
    <div className={styles["gallery"]}>
      <Summary photos={photos} session={session} />
      <div className={styles["bar"]}>
        <label>
          <span>Show</span>
          <select value={filter} onChange={({ target: { value } }) => isFilter(value) && onArrange({ ...arrangement, filter: value })}>
            <Options of={FILTERS} />
          </select>
        </label>
        <label>
          <span>Sort</span>
          <select value={sort} onChange={({ target: { value } }) => isSort(value) && onArrange({ ...arrangement, sort: value })}>
            <Options of={SORTS} />
          </select>
        </label>
        <ToggleGroup.Root
          type="single"
          className={styles["layout"]}
          aria-label="Layout"
          value={layout}
          onValueChange={(value) => (value === "grid" || value === "table") && onArrange({ ...arrangement, layout: value })}
        >
          <ToggleGroup.Item value="grid">
            <Icon name="grid" /> Grid
          </ToggleGroup.Item>
          <ToggleGroup.Item value="table">
            <Icon name="table" /> Table
          </ToggleGroup.Item>
        </ToggleGroup.Root>
        <div className={styles["actions"]}>
          {again.length > 0 && (
            <button type="button" className="button primary" onClick={() => session.retry(again)}>
              <Icon name="retry" /> Try {again.length} again
            </button>
          )}
          <button type="button" className="button" onClick={onAdd}>
            <Icon name="add" /> Add
          </button>
          <button type="button" className="button" onClick={() => download(toCsv(shown), "answers.csv", "text/csv")}>
            <Icon name="download" /> CSV
          </button>
          <button type="button" className="button" onClick={() => download(toJson(shown), "answers.json", "application/json")}>
            <Icon name="download" /> JSON
          </button>
          <button type="button" className="button" onClick={() => session.clear()}>
            <Icon name="close" /> Clear
          </button>
        </div>
      </div>
      <div ref={list}>
        {shown.length === 0 ? (
          <p className={styles["none"]}>No photo fits “{FILTERS[filter]}”.</p>
        ) : layout === "grid" ? (
          <ul className={styles["grid"]}>
            {shown.map((photo) => (
              <Card key={photo.id} photo={photo} session={session} />
            ))}
          </ul>
        ) : (
          <Table photos={shown} session={session} />
        )}
      </div>
    </div>
  );
}

function Options({ of }: { of: Record<string, string> }) {
  return Object.entries(of).map(([value, text]) => (
    <option key={value} value={value}>
      {text}
    </option>
  ));
}

function Summary({ photos, session }: { photos: readonly Photo[]; session: PhotoSession }) {
  const done = photos.filter(({ phase }) => phase === "done").length;
  const answers = photos.filter(({ outcome }) => outcome?.code === "ok").length;
  const waits = photos.flatMap(({ resumesAt }) => (resumesAt === null ? [] : [resumesAt]));
  const seconds = useCountdown(waits.length > 0 ? Math.min(...waits) : null);
  const finished = done === photos.length;
  return (
    <div className={styles["summary"]}>
      <h1>{finished ? `${photos.length} photos` : `${done} of ${photos.length} photos`}</h1>
      <p>
        {waits.length > 0
          ? `The service is busy. Going on ${seconds > 0 ? `in ${seconds} s` : "now"}; nothing is lost.`
          : `${answers} with an answer, ${done - answers} without`}
      </p>
      {!finished && (
        <button type="button" className="button" onClick={() => session.cancelAll()}>
          <Icon name="close" /> Cancel the rest
        </button>
      )}
      <Progress.Root className={styles["progress"]} value={done} max={photos.length} aria-label="Photos done" data-finished={finished || undefined}>
        <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
          <rect width={(100 * done) / photos.length} height="1" />
        </svg>
      </Progress.Root>
    </div>
  );
}

const WORKING = { queued: "Waiting", preparing: "Preparing", sending: "Looking", busy: "Service busy", reconnecting: "Reconnecting", done: "" };

function Verdict({ photo: { phase, outcome } }: { photo: Photo }) {
  const prediction = outcome?.answer?.prediction;
  if (!outcome) return <span className={styles["working"]}>{WORKING[phase]}</span>;
  if (prediction) {
    return (
      <span className={styles["verdict"]}>
        {prediction} <span>{percent(outcome.answer?.confidence ?? 0)}</span>
      </span>
    );
  }
  return (
    <span className={styles["refusal"]} data-tone={MESSAGES[outcome.code].tone}>
      {MESSAGES[outcome.code].short}
    </span>
  );
}

function Thumbnail({ photo }: { photo: Photo }) {
  const url = useObjectUrl(photo.thumbnail);
  return url ? <img src={url} alt="" decoding="async" /> : <Icon name="photo" />;
}

/** The retry or cancel button of one photo; its label names the photo, for screen readers. */
function Tools({ photo, session }: { photo: Photo; session: PhotoSession }) {
  if (photo.outcome && !canRetry(photo)) return null;
  const [icon, text, act] = photo.outcome
    ? (["retry", "Try again", () => session.retry([photo.id])] as const)
    : (["close", "Cancel", () => session.cancel(photo.id)] as const);
  return (
    <button type="button" className={styles["tool"]} onClick={act} aria-label={`${text}: ${photo.name}`} title={text}>
      <Icon name={icon} />
    </button>
  );
}

const Card = memo(function Card({ photo, session }: { photo: Photo; session: PhotoSession }) {
  return (
    <li className={styles["card"]} data-done={photo.outcome !== null || undefined}>
      <a href={`#photo-${photo.id}`} data-photo={photo.id}>
        <span className={styles["thumbnail"]}>
          <Thumbnail photo={photo} />
        </span>
        <span className={styles["name"]}>{photo.name}</span>
        <Verdict photo={photo} />
      </a>
      <Tools photo={photo} session={session} />
    </li>
  );
});

function Table({ photos, session }: { photos: readonly Photo[]; session: PhotoSession }) {
  return (
    <table className={styles["table"]}>
      <thead>
        <tr>
          <th scope="col">Photo</th>
          <th scope="col">Answer</th>
          <th scope="col" className={styles["wide"]}>
            People
          </th>
          <th scope="col" className={styles["wide"]}>
            What it means
          </th>
          <td />
        </tr>
      </thead>
      <tbody>
        {photos.map((photo) => (
          <Row key={photo.id} photo={photo} session={session} />
        ))}
      </tbody>
    </table>
  );
}

const Row = memo(function Row({ photo, session }: { photo: Photo; session: PhotoSession }) {
  return (
    <tr>
      <th scope="row">
        <a href={`#photo-${photo.id}`} data-photo={photo.id}>
          <span className={styles["thumbnail"]}>
            <Thumbnail photo={photo} />
          </span>
          <span className={styles["name"]}>{photo.name}</span>
        </a>
      </th>
      <td>
        <Verdict photo={photo} />
      </td>
      <td className={styles["wide"]}>{photo.outcome?.answer?.person_count}</td>
      <td className={styles["wide"]}>{photo.outcome && MESSAGES[photo.outcome.code].title}</td>
      <td>
        <Tools photo={photo} session={session} />
      </td>
    </tr>
  );
});
