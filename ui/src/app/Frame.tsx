import type { ReactNode } from "react";
import { Link } from "wouter";
import { HOW, PHOTOS, START } from "@/features/workspace/addresses";
import { text } from "@/text";
import styles from "./App.module.css";
import { ThemeButton } from "./ThemeButton";

export function Header({ photos, children }: { photos: number; children: ReactNode }) {
  const words = text.header;
  return (
    <header className={styles["header"]}>
      <Link className={styles["brand"] ?? ""} href={START} aria-label={words.home}>
        <img src="/favicon.svg" alt="" width="28" height="28" />
        <span>{text.brand}</span>
      </Link>
      <nav aria-label={words.nav}>
        {photos > 0 && <Link href={PHOTOS}>{words.photos(photos)}</Link>}
        <Link className={styles["inHeader"] ?? ""} href={HOW}>
          {words.how}
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
}

export function Footer({ apiUrl, photosToo, full, onKeepPhotos }: FooterProps) {
  const words = text.footer;
  return (
    <footer className={styles["footer"]}>
      <p>
        {words.promise} {words.kept}
      </p>
      <label>
        <input type="checkbox" checked={photosToo} onChange={({ target }) => onKeepPhotos(target.checked)} /> {words.keepPhotos}
      </label>
      <nav aria-label={text.footer.more}>
        <Link href={HOW}>{text.header.how}</Link>
        <a href={`${apiUrl}/docs`} target="_blank" rel="noopener" aria-label={words.apiLabel}>
          {words.api}
        </a>
      </nav>
      {full && <p role="alert">{words.noRoom}</p>}
    </footer>
  );
}
