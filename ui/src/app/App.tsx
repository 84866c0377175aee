import { Suspense, useEffect, useRef, useState, useSyncExternalStore, type ChangeEvent } from "react";
import { useDropzone } from "react-dropzone";
import { Route, Switch, useLocation, useRoute } from "wouter";
import type { Client } from "@/api/client";
import { HealthIndicator, loadHealthPanel } from "@/features/health/HealthIndicator";
import { useHealth } from "@/features/health/useHealth";
import { CameraDialog, loadCamera } from "@/features/upload/CameraDialog";
import { filesOf } from "@/features/upload/files";
import { ACCEPT, photosOf } from "@/features/upload/folder";
import { loadWhy } from "@/features/viewer/PhotoView";
import { COMPARE, HOW, MODEL, PHOTO, photoAddress, PHOTOS, START } from "@/features/workspace/addresses";
import { Announcer } from "@/features/workspace/Announcer";
import { WorkspaceProvider, type Workspace } from "@/features/workspace/context";
import type { Keeper } from "@/features/workspace/keeper";
import { slugOf, type PhotoSession } from "@/features/workspace/session";
import { useMeasured } from "@/features/workspace/useModel";
import { Undo } from "@/features/workspace/Undo";
import { Area } from "@/shared/Area";
import { chunk } from "@/shared/chunk";
import { text } from "@/text";
import styles from "./App.module.css";
import { Footer, Header } from "./Frame";
import { startOffline } from "./offline";
import { HowPage, NotFoundPage, PhotoPage, StartPage } from "./pages";
import { ReportHead } from "./ReportHead";
import { useArrangement } from "./useArrangement";
import { useGo, useScroll } from "./useGo";
import { useKeeping } from "./useKeeping";
import { useLeaving } from "./useLeaving";
import { usePaste } from "./usePaste";
import { useRecovery } from "./useRecovery";

const [Gallery, loadGallery] = chunk(() => import("@/features/gallery/Gallery"));
const [Compare, loadCompare] = chunk(() => import("@/features/viewer/Compare"));
const [ModelPage, loadModelPage] = chunk(() => import("@/features/model/ModelPage"));

interface Props {
  client: Client;
  session: PhotoSession;
  keeper: Keeper;
  apiUrl: string;
}

export function App({ client, session, keeper, apiUrl }: Props) {
  const photos = useSyncExternalStore(session.subscribe, session.photos);
  const keeping = useKeeping(keeper);
  const [path] = useLocation();
  const go = useGo();
  const [camera, setCamera] = useState(false);
  const [reloading, setReloading] = useState(false);
  const [arrangement, arrange] = useArrangement();
  const [isPhoto, shownPhoto] = useRoute(PHOTO);
  const shown = isPhoto ? photos.find(({ id }) => slugOf(id) === shownPhoto.slug) : undefined;
  const [viewed, setViewed] = useState<number | null>(null);
  if (shown && shown.id !== viewed) setViewed(shown.id);
  const captureInput = useRef<HTMLInputElement>(null);
  const folderInput = useRef<HTMLInputElement>(null);

  const take = (files: readonly File[]) => {
    const ids = session.add(photosOf(files));
    const [first] = ids;
    if (first === undefined) return;
    setCamera(false);
    setViewed(null);
    // One photo is shown by itself, except where it joins those in the gallery.
    go(ids.length === 1 && (path !== PHOTOS || photos.length === 0) ? photoAddress(first) : PHOTOS);
  };
  const takeFrom = ({ target }: ChangeEvent<HTMLInputElement>) => {
    take([...(target.files ?? [])]);
    target.value = ""; // or the same folder, chosen again after Clear, would be no change
  };
  const { getRootProps, getInputProps, open, isDragActive } = useDropzone({ getFilesFromEvent: filesOf, onDropAccepted: take, noClick: true, noKeyboard: true });
  usePaste(take);
  useScroll();

  const busy = photos.some(({ phase }) => phase === "busy");
  const unreached = photos.filter(({ phase, outcome }) => phase === "reconnecting" || outcome?.code === "unreachable").length;
  const models = photos.findLast(({ outcome }) => outcome?.answer?.model)?.outcome?.answer?.model ?? null;
  const health = useHealth(client, { busy, unreached });
  useRecovery(session, health.state);
  const serving = health.health?.models["classifier"];
  const classifier = serving ? `${serving.name}@${serving.revision}` : (models?.classifier ?? null);
  const measured = useMeasured(client, photos.length > 0 ? classifier : null); // it is there before the first answer
  useLeaving(!reloading && photos.some(({ outcome }) => outcome === null));
  // Loaded early, so that they are there when the network is not, or a deployment has replaced them.
  useEffect(() => {
    const timer = setTimeout(() => {
      loadGallery();
      loadHealthPanel();
      loadCamera();
      loadCompare();
      loadModelPage();
      loadWhy();
      startOffline();
    }, 2000);
    return () => clearTimeout(timer);
  }, []);

  const openCamera = () => {
    // Browsers allow camera access only over https and on localhost; elsewhere the phone's own camera app takes the photo.
    if ("mediaDevices" in navigator) setCamera(true);
    else captureInput.current?.click();
  };
  const reload = () => {
    setReloading(true);
    void keeper.keepForReload().then(() => location.reload());
  };
  const takeFromCamera = (photo: Blob) => {
    const taken = photos.filter(({ name }) => name.startsWith(text.camera.fileName(1).slice(0, -4))).length;
    take([new File([photo], text.camera.fileName(taken + 1), { type: photo.type })]);
  };

  const { restored } = keeping;
  const chooseFolder = () => folderInput.current?.click();
  const workspace: Workspace = { apiUrl, client, measured, session, photos, restored, arrangement, arrange, take, chooseFiles: open, chooseFolder, openCamera };
  const undone = (ids: readonly number[]) => {
    const [only] = ids;
    go(ids.length === 1 && only !== undefined && path !== PHOTOS ? photoAddress(only) : PHOTOS);
  };
  return (
    <WorkspaceProvider value={workspace}>
      <div {...getRootProps({ className: styles["page"], role: "presentation" })}>
        <Area onReload={reload}>
          <Header photos={photos.length}>
            <HealthIndicator {...health} />
          </Header>
        </Area>
        <ReportHead models={models} />
        <main className={styles["main"]}>
          <input {...getInputProps({ "aria-label": text.inputs.photos, accept: ACCEPT })} />
          <input
            ref={captureInput}
            type="file"
            accept="image/*"
            capture="user"
            hidden
            aria-label={text.inputs.camera}
            onChange={takeFrom}
          />
          <input
            ref={folderInput}
            type="file"
            {...{ webkitdirectory: "" }}
            hidden
            aria-label={text.inputs.folder}
            onChange={takeFrom}
          />
          <Announcer photos={photos} shown={shown} />
          <Area of={path} level={1} onReload={reload}>
            <Suspense fallback={<p className={styles["loading"]}>{text.loading}</p>}>
              <Switch>
                <Route path={START} component={StartPage} />
                <Route path={PHOTOS}>
                  <Gallery returnTo={viewed} />
                </Route>
                <Route path={PHOTO}>{({ slug }) => <PhotoPage slug={slug} onReload={reload} />}</Route>
                <Route path={COMPARE} component={Compare} />
                <Route path={HOW} component={HowPage} />
                <Route path={MODEL}>
                  <ModelPage classifier={classifier} />
                </Route>
                <Route component={NotFoundPage} />
              </Switch>
            </Suspense>
          </Area>
        </main>
        <Footer apiUrl={apiUrl} {...keeping} onKeepPhotos={keeping.keepPhotos} onReload={reload} />
        <Undo session={session} onUndone={undone} />
        {camera && <CameraDialog onPhoto={takeFromCamera} onClose={() => setCamera(false)} onReload={reload} />}
        {isDragActive && (
          <div className={styles["dropping"]} aria-hidden="true">
            <p>{photos.length > 0 ? text.drop.add : text.drop.analyse}</p>
          </div>
        )}
      </div>
    </WorkspaceProvider>
  );
}
