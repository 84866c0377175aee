import { useDeferredValue, useEffect, useMemo, useRef, type ComponentProps } from "react";
import { Icon } from "@/shared/Icon";
import { useTitle } from "@/shared/useTitle";
import { text } from "@/text";
import { arrange, count, type Arrangement } from "../workspace/arrange";
import { useWorkspace } from "../workspace/context";
import type { Photo } from "../workspace/session";
import { asIf } from "../workspace/threshold";
import styles from "./Gallery.module.css";
import { Card, Table } from "./photos";
import { Summary } from "./Summary";
import { Threshold } from "./Threshold";
import { Toolbar } from "./Toolbar";
import { useGradually } from "./useGradually";

const words = text.gallery;

/** All photos: progress, a grid or a table with sorting and filters, and export. `returnTo`: the photo viewed last, which gets the focus. */
export default function Gallery({ returnTo }: { returnTo: number | null }) {
  const { photos } = useWorkspace();
  return photos.length === 0 ? <Empty /> : <Photos returnTo={returnTo} />;
}

function Photos({ returnTo }: { returnTo: number | null }) {
  const { photos, session, arrangement } = useWorkspace();
  // A thousand cards follow the slider as fast as they can, and do not hold it up.
  const threshold = useDeferredValue(arrangement.threshold);
  const shown = useMemo(() => arrange(photos, { ...arrangement, threshold }), [photos, arrangement, threshold]);
  const title = useRef<HTMLHeadingElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const counts = useMemo(() => count(photos.map((photo) => asIf(photo, threshold))), [photos, threshold]);
  useTitle(text.titles.of(text.titles.photos(counts.done, photos.length)));
  const awaited = useRef<number | null>(null); // the photo that gets the focus as soon as it is drawn
  useEffect(() => {
    const link = returnTo === null ? null : list.current?.querySelector<HTMLElement>(`[data-photo="${returnTo}"]`);
    (link ?? title.current)?.focus({ preventScroll: !link });
    awaited.current = link ? null : returnTo;
  }, [returnTo]);
  const focusTitle = () => title.current?.focus({ preventScroll: true });
  /** The button that was pressed disappears, so the photo's link gets its focus. */
  const focusPhoto = (id: number) => list.current?.querySelector<HTMLElement>(`[data-photo="${id}"]`)?.focus();
  const focusAwaited = (all: boolean) => {
    const id = awaited.current;
    if (id !== null && document.activeElement === title.current) focusPhoto(id);
    if (all || document.activeElement !== title.current) awaited.current = null;
  };
  const focused = useRef<number | null>(null); // the photo whose link or button has the focus
  useEffect(() => {
    // It no longer fits the filter. Of a photo that was removed, Undo gets the focus.
    const isHere = photos.some(({ id }) => id === focused.current);
    if (isHere && document.activeElement === document.body) focusTitle();
  }, [photos, shown]);

  const cancel = () => {
    session.cancelAll();
    focusTitle();
  };
  const shared = { threshold, session, focusPhoto };
  return (
    <div className={styles["gallery"]}>
      <Summary photos={photos} counts={counts} title={title} onCancel={cancel} />
      <Toolbar shown={shown} focusTitle={focusTitle} />
      <Threshold />
      <div ref={list} role="presentation" onFocus={({ target }) => (focused.current = photoAround(target))} onBlur={() => (focused.current = null)}>
        {shown.length === 0 ? (
          <p className={styles["none"]}>{words.none(words.filters[arrangement.filter])}</p>
        ) : (
          <List key={arrangement.layout} layout={arrangement.layout} photos={shown} onDrawn={focusAwaited} {...shared} />
        )}
      </div>
    </div>
  );
}

const photoAround = (element: Element): number => Number(element.closest("li, [role=row]")?.querySelector("[data-photo]")?.getAttribute("data-photo"));

interface ListProps extends Omit<ComponentProps<typeof Card>, "photo"> {
  layout: Arrangement["layout"];
  photos: readonly Photo[];
  /** Called whenever more are drawn. */
  onDrawn: (all: boolean) => void;
}

function List({ layout, photos, onDrawn, ...shared }: ListProps) {
  const drawn = useGradually(photos.length);
  useEffect(() => onDrawn(drawn === photos.length));
  const some = photos.slice(0, drawn);
  if (layout === "table") return <Table photos={some} {...shared} />;
  return (
    <ul className={styles["grid"]}>
      {some.map((photo) => (
        <Card key={photo.id} photo={photo} {...shared} />
      ))}
    </ul>
  );
}

function Empty() {
  const { chooseFiles, openCamera } = useWorkspace();
  return (
    <section className={styles["empty"]}>
      <h1>{words.emptyTitle}</h1>
      <p>{words.emptyAdvice}</p>
      <div>
        <button type="button" className="button primary" onClick={chooseFiles}>
          <Icon name="photo" /> {text.photo.add}
        </button>
        <button type="button" className="button" onClick={openCamera}>
          <Icon name="camera" /> {text.start.camera}
        </button>
      </div>
    </section>
  );
}
