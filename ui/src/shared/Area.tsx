import type { ReactNode } from "react";
import { ErrorBoundary, type FallbackProps } from "react-error-boundary";
import { text } from "@/text";
import styles from "./Area.module.css";
import { ChunkError, forgetFailures } from "./chunk";
import { Icon } from "./Icon";

interface Props {
  children: ReactNode;
  /** Another value tries again by itself, like going to another address. */
  of?: string;
  /** Of the heading that replaces what broke. */
  level?: 1 | 2;
  /** Reloads the page so that nothing is lost. */
  onReload: () => void;
}

/** A part of the page that may break without taking the rest along. */
export function Area({ children, of, level = 2, onReload }: Props) {
  const fallback = ({ error, resetErrorBoundary }: FallbackProps) => (
    <Broken level={level} missing={error instanceof ChunkError} onAgain={() => resetErrorBoundary()} onReload={onReload} />
  );
  return (
    <ErrorBoundary fallbackRender={fallback} resetKeys={[of]} onReset={forgetFailures}>
      {children}
    </ErrorBoundary>
  );
}

interface BrokenProps {
  level: 1 | 2;
  missing: boolean;
  onAgain: () => void;
  onReload: () => void;
}

function Broken({ level, missing, onAgain, onReload }: BrokenProps) {
  const Heading = `h${level}` as const;
  const { title, advice, chunkTitle, chunkAdvice, again, reload } = text.broken;
  return (
    <section className={styles["broken"]} role="alert">
      <Heading>{missing ? chunkTitle : title}</Heading>
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
