import { Popover } from "radix-ui";
import { useState } from "react";
import { download } from "@/shared/download";
import { Icon } from "@/shared/Icon";
import { text } from "@/text";
import type { Filter } from "../workspace/arrange";
import { answersOf } from "../workspace/people";
import type { Photo } from "../workspace/session";
import { toCsv, toJson } from "./export";
import styles from "./ExportMenu.module.css";

const words = text.export;
const save = (content: string, filename: string, type: string) => download(new Blob([content], { type }), filename);

/** Saves the answers, and says which: all photos, or only those that the filter shows. */
export function ExportMenu({ photos, shown, filter }: { photos: readonly Photo[]; shown: readonly Photo[]; filter: Filter }) {
  const [onlyShown, setOnlyShown] = useState(false);
  const filtered = shown.length < photos.length;
  const exported = onlyShown && filtered ? shown : photos;
  const unfinished = exported.filter(({ outcome }) => outcome === null).length;
  return (
    <Popover.Root>
      <Popover.Trigger className="button">
        <Icon name="download" /> {words.open}
      </Popover.Trigger>
      <Popover.Content className={styles["menu"]} align="end" sideOffset={8} collisionPadding={12} aria-label={words.label}>
        {filtered ? (
          <fieldset>
            <legend className="visually-hidden">{words.which}</legend>
            <label>
              <input type="radio" name="exported" checked={!onlyShown} onChange={() => setOnlyShown(false)} /> {words.all(photos.length)}
            </label>
            <label>
              <input type="radio" name="exported" checked={onlyShown} onChange={() => setOnlyShown(true)} />{" "}
              {words.shown(shown.length, text.gallery.filters[filter])}
            </label>
          </fieldset>
        ) : (
          <p>{words.all(photos.length)}</p>
        )}
        {unfinished > 0 && <p className={styles["note"]}>{words.unfinished(unfinished)}</p>}
        {exported.some(({ outcome }) => answersOf(outcome).length > 0) && <p className={styles["note"]}>{words.people}</p>}
        <div>
          <button type="button" className="button primary" onClick={() => save(toCsv(exported), "answers.csv", "text/csv")}>
            {words.csv}
          </button>
          <button type="button" className="button" onClick={() => save(toJson(exported), "answers.json", "application/json")}>
            {words.json}
          </button>
          <button type="button" className="button" onClick={() => print()}>
            <Icon name="print" /> {text.report.print}
          </button>
        </div>
      </Popover.Content>
    </Popover.Root>
  );
}
