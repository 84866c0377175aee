import { lazy, Suspense, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useDropzone } from "react-dropzone";
import type { Client } from "../api/client";
import { About } from "../features/about/About";
import { HealthIndicator } from "../features/health/HealthIndicator";
import { Announcer } from "../features/photos/Announcer";
import type { Arrangement } from "../features/photos/Gallery";
import { PhotoView } from "../features/photos/PhotoView";
import type { Prepare } from "../features/photos/prepare";
import { PhotoSession } from "../features/photos/session";
import { Start } from "../features/photos/Start";
import { Icon } from "../shared/Icon";
import { useHash } from "../shared/useHash";
import styles from "./App.module.css";
import { ThemeButton } from "./ThemeButton";

// Loaded lazily: not needed for the first photo.
const Gallery = lazy(() => import("../features/photos/Gallery"));
const Camera = lazy(() => import("../features/photos/Camera"));

export function App({ client, prepare, apiUrl }: { client: Client; prepare: Prepare; apiUrl: string }) {
  const session = useMemo(() => new PhotoSession(client, prepare), [client, prepare]);
  const photos = useSyncExternalStore(session.subscribe, session.photos);
  const hash = useHash();
  const [camera, setCamera] = useState(false);
  const [arrangement, setArrangement] = useState<Arrangement>({ layout: "grid", filter: "all", sort: "added" });
  const [returnTo, setReturnTo] = useState<number | null>(null);
  const captureInput = useRef<HTMLInputElement>(null);

  const take = (files: readonly File[]) => {
    if (files.length === 0) return;
    setCamera(false);
    if (photos.length > 1) session.add(files);
    else session.replace(files);
    location.hash = "";
  };
  const { getRootProps, getInputProps, open, isDragActive } = useDropzone({ onDropAccepted: take, noClick: true, noKeyboard: true });
  usePaste(take);
  useScrollToHash(hash);

  const openCamera = () => {
    // Browsers allow camera access only over https and on localhost; elsewhere the phone's own camera app takes the photo.
    if ("mediaDevices" in navigator) setCamera(true);
    else captureInput.current?.click();
  };
  const startOver = () => {
    session.clear();
    location.hash = "";
  };

  const chosen = photos.length === 1 ? photos[0] : photos.find(({ id }) => hash === `photo-${id}`);
  const position = chosen ? photos.indexOf(chosen) : -1;
  return (
    <div {...getRootProps({ className: styles["page"], role: "presentation" })}>
      <header className={styles["header"]}>
        <a className={styles["brand"]} href="#start" onClick={startOver} aria-label="Gender presentation: start over">
          <img src="/favicon.svg" alt="" width="28" height="28" />
          <span>Gender presentation</span>
        </a>
        <nav aria-label="About">
          <a href="#how-it-works">How it works</a>
        </nav>
        <HealthIndicator client={client} photosWait={photos.some(({ phase }) => phase === "busy")} />
        <ThemeButton />
      </header>
      <main className={styles["main"]}>
        <input {...getInputProps({ "aria-label": "Photos", id: "photos" })} />
        <input
          ref={captureInput}
          type="file"
          accept="image/*"
          capture="user"
          hidden
          aria-label="Photo from the camera"
          onChange={({ target }) => take([...(target.files ?? [])])}
        />
        <Announcer photos={photos} />
        <Suspense fallback={<p className={styles["loading"]}>Loading</p>}>
          {camera ? (
            <Camera onPhoto={(file) => take([file])} onClose={() => setCamera(false)} />
          ) : photos.length === 0 ? (
            <Start onChoose={open} onCamera={openCamera} />
          ) : chosen ? (
            <PhotoView photo={chosen} session={session}>
              {photos.length === 1 ? (
                <>
                  <button type="button" className="button" onClick={openCamera}>
                    <Icon name="camera" /> Camera
                  </button>
                  <button type="button" className="button primary" onClick={open}>
                    <Icon name="photo" /> Another photo
                  </button>
                </>
              ) : (
                <>
                  <Step to={photos[position - 1]?.id} icon="back" text="Previous" />
                  <Step to={photos[position + 1]?.id} icon="next" text="Next" />
                  <a className="button primary" href="#photos" onClick={() => setReturnTo(chosen.id)}>
                    <Icon name="grid" /> All photos
                  </a>
                </>
              )}
            </PhotoView>
          ) : (
            <Gallery
              photos={photos}
              session={session}
              arrangement={arrangement}
              onArrange={setArrangement}
              onAdd={open}
              returnTo={returnTo}
            />
          )}
        </Suspense>
        <About />
      </main>
      <footer className={styles["footer"]}>
        <p>Photos go from this page to the service and nowhere else. Nothing is stored.</p>
        <a href={`${apiUrl}/docs`}>API</a>
      </footer>
      {isDragActive && (
        <div className={styles["dropping"]} aria-hidden="true">
          <p>{photos.length > 1 ? "Drop to add" : "Drop to analyse"}</p>
        </div>
      )}
    </div>
  );
}

function Step({ to, icon, text }: { to: number | undefined; icon: "back" | "next"; text: string }) {
  if (to === undefined) return null;
  return (
    <a className="button" href={`#photo-${to}`}>
      <Icon name={icon} /> {text}
    </a>
  );
}

function usePaste(take: (files: readonly File[]) => void) {
  const latest = useRef(take);
  useEffect(() => {
    latest.current = take;
  });
  useEffect(() => {
    const paste = (event: ClipboardEvent) => latest.current([...(event.clipboardData?.files ?? [])]);
    addEventListener("paste", paste);
    return () => removeEventListener("paste", paste);
  }, []);
}

/** Scrolls to the section in the hash: the browser looks for it before sections are rendered. */
function useScrollToHash(hash: string) {
  useEffect(() => {
    const section = hash && document.getElementById(hash);
    if (!section) return;
    section.scrollIntoView();
    section.focus({ preventScroll: true });
  }, [hash]);
}
