import type { ReactNode } from "react";
import { Link } from "wouter";
import { HOW, MODEL, PHOTOS, START } from "@/features/workspace/addresses";
import { remember } from "@/shared/remembered";
import { text } from "@/text";
import { CHOICE, language, LANGUAGES } from "@/text/language";
import styles from "./App.module.css";
import { ThemeButton } from "./ThemeButton";

export function Header({ photos, children }: { photos: number; children: ReactNode }) {
  const words = text.header;
  return (
    <header className={styles["header"]} data-screen>
      <Link className={styles["brand"] ?? ""} href={START} aria-label={words.home}>
        <img src="/favicon.svg" alt="" width="28" height="28" />
        <span>{text.brand}</span>
      </Link>
      <nav aria-label={words.nav}>
        {photos > 0 && <Link href={PHOTOS}>{words.photos(photos)}</Link>}
        <Link className={styles["inHeader"] ?? ""} href={HOW}>
          {words.how}
        </Link>
        <Link className={styles["inHeader"] ?? ""} href={MODEL}>
          {words.model}
        </Link>
      </nav>
      {children}
      <ThemeButton />
    </header>
  );
}

interface FooterProps {
  apiUrl: string;
  photosToo: boolean;
  full: boolean;
  onKeepPhotos: (wanted: boolean) => void;
  /** Reloads the page so that nothing is lost. */
  onReload: () => void;
}

export function Footer({ apiUrl, photosToo, full, onKeepPhotos, onReload }: FooterProps) {
  const words = text.footer;
  return (
    <footer className={styles["footer"]} data-screen>
      <p>
        {words.promise} {words.kept}
      </p>
      <label>
        <input type="checkbox" checked={photosToo} onChange={({ target }) => onKeepPhotos(target.checked)} /> {words.keepPhotos}
      </label>
      <nav aria-label={text.footer.more}>
        <Link href={HOW}>{text.header.how}</Link>
        <Link href={MODEL}>{text.header.model}</Link>
        <a href={`${apiUrl}/docs`} target="_blank" rel="noopener" aria-label={words.apiLabel}>
          {words.api}
        </a>
        {Object.entries(LANGUAGES).map(
          ([each, name]) =>
            each !== language && (
              <button
                key={each}
                type="button"
                lang={each}
                onClick={() => {
                  remember(CHOICE, each);
                  onReload();
                }}
              >
                {name}
              </button>
            ),
        )}
      </nav>
      {full && <p role="alert">{words.noRoom}</p>}
    </footer>
  );
}
