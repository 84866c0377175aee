import type { ReactNode } from "react";
import { ErrorBoundary, type FallbackProps } from "react-error-boundary";
import { text } from "@/text";
import styles from "./Area.module.css";
import { ChunkError } from "./chunk";
import { Icon } from "./Icon";

interface Props {
  children: ReactNode;
  /** Another value tries again by itself, like going to another address. */
  of?: string;
  /** Reloads the page so that nothing is lost. */
  onReload: () => void;
}

/** A part of the page that may break without taking the rest along. */
export function Area({ children, of, onReload }: Props) {
  const fallback = ({ error, resetErrorBoundary }: FallbackProps) => (
    <Broken missing={error instanceof ChunkError} onAgain={() => resetErrorBoundary()} onReload={onReload} />
  );
  return (
    <ErrorBoundary fallbackRender={fallback} resetKeys={[of]}>
      {children}
    </ErrorBoundary>
  );
}

function Broken({ missing, onAgain, onReload }: { missing: boolean; onAgain: () => void; onReload: () => void }) {
  const { title, advice, chunkTitle, chunkAdvice, again, reload } = text.broken;
  return (
    <section className={styles["broken"]} role="alert">
      <h2>{missing ? chunkTitle : title}</h2>
      <p>{missing ? chunkAdvice : advice}</p>
      <div>
        <button type="button" className="button primary" onClick={onAgain}>
          <Icon name="retry" /> {again}
        </button>
        <button type="button" className="button" onClick={onReload}>
          {reload}
        </button>
      </div>
    </section>
  );
}
