import { useEffect, useRef, useSyncExternalStore } from "react";
import { focusHeading } from "@/shared/focusHeading";
import { Icon } from "@/shared/Icon";
import { text } from "@/text";
import type { PhotoSession } from "./session";
import styles from "./Undo.module.css";

/** Says that photos were removed, and brings them back. It stays until something is added or it is dismissed. */
export function Undo({ session, onUndone }: { session: PhotoSession; onUndone: (ids: readonly number[]) => void }) {
  const removed = useSyncExternalStore(session.subscribe, session.removed);
  const button = useRef<HTMLButtonElement>(null);
  const shown = useRef(false);
  useEffect(() => {
    const before = shown.current;
    shown.current = removed.length > 0;
    // The button that was pressed has usually gone: with the photos, or with this.
    if (document.activeElement !== document.body) return;
    if (shown.current) button.current?.focus();
    else if (before) focusHeading();
  }, [removed]);
  if (removed.length === 0) return null;
  const undo = () => {
    session.undo();
    onUndone(removed.map(({ id }) => id));
  };
  return (
    <div className={styles["undo"]} role="status" data-screen>
      <p>{text.undo.cleared(removed.length)}</p>
      <button ref={button} type="button" className="button" onClick={undo}>
        <Icon name="undo" /> {text.undo.undo}
      </button>
      <button type="button" className="button round plain" aria-label={text.undo.dismiss} onClick={() => session.forgetRemoved()}>
        <Icon name="close" />
      </button>
    </div>
  );
}
