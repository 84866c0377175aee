import { useEffect, useRef } from "react";
import { Link } from "wouter";
import { text } from "@/text";
import { photoAddress } from "../workspace/addresses";
import { arrange, type Arrangement } from "../workspace/arrange";
import type { Photo } from "../workspace/session";
import { Thumbnail } from "../workspace/Thumbnail";
import styles from "./Filmstrip.module.css";

const EACH_SIDE = 15; // more would be slow to show, and are not seen

/** The photos around the one that is shown, in the order of the gallery. */
export function Filmstrip({ photos, arrangement, shown }: { photos: readonly Photo[]; arrangement: Arrangement; shown: Photo }) {
  const list = useRef<HTMLUListElement>(null);
  const arranged = arrange(photos, arrangement);
  const order = arranged.includes(shown) ? arranged : photos;
  const place = order.indexOf(shown);
  useEffect(() => {
    const here = list.current?.querySelector<HTMLElement>("[aria-current]");
    // Not scrollIntoView, which would scroll the page as well.
    if (here && list.current) list.current.scrollLeft = here.offsetLeft - (list.current.clientWidth - here.clientWidth) / 2;
  }, [shown.id]);
  return (
    <nav className={styles["strip"]} data-screen aria-label={text.photo.strip}>
      <ul ref={list}>
        {order.slice(Math.max(0, place - EACH_SIDE), place + EACH_SIDE + 1).map((photo) => (
          <li key={photo.id}>
            <Link href={photoAddress(photo.id)} aria-label={photo.name} title={photo.name} aria-current={photo.id === shown.id ? "page" : undefined}>
              <Thumbnail photo={photo} />
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
