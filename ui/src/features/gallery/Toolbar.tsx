import { ToggleGroup } from "radix-ui";
import { Icon } from "@/shared/Icon";
import { Select } from "@/shared/Select";
import { text } from "@/text";
import { canRetry, isFilter, isSort } from "../workspace/arrange";
import { useWorkspace } from "../workspace/context";
import type { Photo } from "../workspace/session";
import { ExportMenu } from "./ExportMenu";
import styles from "./Toolbar.module.css";

const words = text.gallery;

/** What is shown and how, and what can be done with all photos. */
export function Toolbar({ shown, focusTitle }: { shown: readonly Photo[]; focusTitle: () => void }) {
  const { photos, session, arrangement, arrange, chooseFiles } = useWorkspace();
  const { layout, filter, sort } = arrangement;
  const again = photos.filter(canRetry).map(({ id }) => id);
  const retry = () => {
    session.retry(again);
    focusTitle();
  };
  return (
    <div className={styles["bar"]} data-screen>
      <Select
        label={words.show}
        value={filter}
        options={Object.entries(words.filters)}
        onChange={(value) => isFilter(value) && arrange({ ...arrangement, filter: value })}
      />
      <Select
        label={words.sort}
        value={sort}
        options={Object.entries(words.sorts)}
        onChange={(value) => isSort(value) && arrange({ ...arrangement, sort: value })}
      />
      <ToggleGroup.Root
        type="single"
        className={styles["layout"]}
        aria-label={words.layout}
        value={layout}
        onValueChange={(value) => (value === "grid" || value === "table") && arrange({ ...arrangement, layout: value })}
      >
        <ToggleGroup.Item value="grid">
          <Icon name="grid" /> {words.grid}
        </ToggleGroup.Item>
        <ToggleGroup.Item value="table">
          <Icon name="table" /> {words.table}
        </ToggleGroup.Item>
      </ToggleGroup.Root>
      <div className={styles["actions"]}>
        {again.length > 0 && (
          <button type="button" className="button primary" onClick={retry}>
            <Icon name="retry" /> {words.retry(again.length)}
          </button>
        )}
        <button type="button" className="button" onClick={chooseFiles}>
          <Icon name="add" /> {words.add}
        </button>
        <ExportMenu photos={photos} shown={shown} filter={filter} />
        <button type="button" className="button" onClick={() => session.remove(photos.map(({ id }) => id))}>
          <Icon name="trash" /> {words.clear}
        </button>
      </div>
    </div>
  );
}
