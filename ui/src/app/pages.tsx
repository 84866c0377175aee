import { Link, Redirect } from "wouter";
import { Meaning, Steps } from "@/features/about/About";
import { Words } from "@/features/about/Words";
import { Start } from "@/features/upload/Start";
import { PhotoView } from "@/features/viewer/PhotoView";
import { PHOTOS, START, photoAddress } from "@/features/workspace/addresses";
import { useWorkspace } from "@/features/workspace/context";
import { slugOf } from "@/features/workspace/session";
import { useTitle } from "@/shared/useTitle";
import { text } from "@/text";
import styles from "./App.module.css";
import { useGo } from "./useGo";

export function StartPage() {
  return (
    <>
      <Start />
      <Meaning />
    </>
  );
}

export function HowPage() {
  useTitle(text.titles.of(text.titles.how));
  return (
    <div className={styles["how"]}>
      <h1>{text.titles.how}</h1>
      <Steps />
      <Meaning />
      <Words />
    </div>
  );
}

export function PhotoPage({ slug, onReload }: { slug: string; onReload: () => void }) {
  const { photos, session, restored } = useWorkspace();
  const go = useGo();
  const photo = photos.find(({ id }) => slugOf(id) === slug);
  if (photo) {
    const remove = (next: { id: number } | undefined) => {
      session.remove([photo.id]);
      go(next ? photoAddress(next.id) : START, { replace: true });
    };
    return <PhotoView photo={photo} onRemove={remove} onReload={onReload} />;
  }
  return restored ? <Gone /> : <p className={styles["loading"]}>{text.loading}</p>;
}

function Gone() {
  const { photos } = useWorkspace();
  useTitle(text.titles.of(text.titles.gone));
  return (
    <section className={styles["gone"]}>
      <h1>{text.photo.goneTitle}</h1>
      <p>{text.photo.goneAdvice}</p>
      <Link className="button primary" href={photos.length > 0 ? PHOTOS : START}>
        {photos.length > 0 ? text.photo.all : text.photo.toStart}
      </Link>
    </section>
  );
}

export const NotFoundPage = () => <Redirect to={START} replace />;
