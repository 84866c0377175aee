import { useEffect, useId, useRef } from "react";
import { Icon } from "@/shared/Icon";
import { labelOf, text } from "@/text";
import { messageOf } from "@/text/messages";
import { strongest } from "./heat";
import { NONE, type HeatMapState } from "./useHeatMap";
import styles from "./Why.module.css";

interface Props {
  state: HeatMapState;
  /** Whether it was asked for just now; it may also be open still, after a reload. */
  asked: boolean;
  /** How strong the colours are, 0 to 1. */
  strength: number;
  onStrength: (strength: number) => void;
  onClose: () => void;
}

const words = text.why;

/** What the heat map over the photo says, and what it does not. */
export default function Why({ state: { map, problem, again }, asked, strength, onStrength, onClose }: Props) {
  const panel = useRef<HTMLElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const id = useId();
  const loading = !map && problem === null;
  useEffect(() => {
    if (asked) title.current?.focus({ preventScroll: true });
  }, [asked]);
  useEffect(() => {
    // Also when it has grown. The photo is above it, or stays beside it: both are in sight.
    if (asked) panel.current?.scrollIntoView({ block: "nearest" });
  }, [asked, loading]);
  return (
    <section ref={panel} className={styles["why"]} aria-labelledby={id} aria-busy={loading || undefined}>
      <div className={styles["head"]}>
        <h3 id={id} ref={title} tabIndex={-1}>
          {problem === null ? words.title : words.failed}
        </h3>
        <button type="button" className="button round plain" aria-label={words.hide} title={words.hide} data-screen onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
      <div role="status">
        {loading && (
          <p>
            {words.loading}. {words.loadingAdvice}
          </p>
        )}
        {map && <p>{placeOf(map)}</p>}
      </div>
      {map && (
        <>
          <label className={styles["strength"]} data-screen>
            <span>{words.opacity}</span>
            <input type="range" min="0" max="100" step="5" value={Math.round(100 * strength)} onChange={({ target }) => onStrength(Number(target.value) / 100)} />
          </label>
          <ul className={styles["legend"]}>
            <li data-kind="for">{words.speaksFor(labelOf(map.label))}</li>
            <li data-kind="against">{words.against(labelOf(map.label))}</li>
          </ul>
          <p className={styles["note"]}>{words.honest(labelOf(map.label))}</p>
        </>
      )}
      {problem !== null && (
        <div role="alert">
          <p>{problem === NONE ? words.none : `${messageOf(problem).title}.`}</p>
          <button type="button" className="button" onClick={again}>
            <Icon name="retry" /> {words.again}
          </button>
        </div>
      )}
    </section>
  );
}

function placeOf(map: NonNullable<HeatMapState["map"]>): string {
  const where = strongest(map);
  return where ? words.most(labelOf(map.label), words.places[where.down]?.[where.across] ?? "") : words.nothing;
}
