import { Icon } from "@/shared/Icon";
import { useObjectUrl } from "@/shared/useObjectUrl";
import type { Photo } from "./session";
import styles from "./Thumbnail.module.css";

/** A photo in small, cut to a square; the text beside it names it. */
export function Thumbnail({ photo }: { photo: Photo }) {
  const url = useObjectUrl(photo.thumbnail);
  return (
    <span className={styles["thumbnail"]} data-working={photo.outcome === null || undefined}>
      {url ? <img src={url} alt="" decoding="async" /> : <Icon name="photo" />}
    </span>
  );
}
