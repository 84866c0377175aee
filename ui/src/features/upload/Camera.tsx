import { useEffect, useRef, useState } from "react";
import { Icon } from "@/shared/Icon";
import { text } from "@/text";
import styles from "./Camera.module.css";

const words = text.camera;
const TITLES = { asking: words.asking, on: words.on, denied: words.denied, missing: words.missing };

/** The camera's live image, and a button that takes a photo. The camera is on only while this is mounted. */
export default function Camera({ onPhoto }: { onPhoto: (photo: Blob) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const [state, setState] = useState<keyof typeof TITLES>("asking");
  const [lenses, setLenses] = useState<string[]>([]);
  const [lens, setLens] = useState<string | null>(null);
  const [mirrored, setMirrored] = useState(true);

  useEffect(() => title.current?.focus(), []);
  useEffect(() => {
    let stream: MediaStream | null = null;
    let closed = false;
    const which = lens === null ? { facingMode: "user" } : { deviceId: { exact: lens } };
    navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 }, ...which } }).then(
      (opened) => {
        stream = opened;
        if (closed) {
          stop(opened);
          return;
        }
        if (video.current) video.current.srcObject = opened;
        const used = opened.getVideoTracks()[0]?.getSettings();
        // Like a mirror, unless it looks away from the person; the photo itself is never mirrored.
        setMirrored(used?.facingMode !== "environment");
        // Browsers name the lenses only after they were allowed to use one.
        void navigator.mediaDevices.enumerateDevices().then((devices) => {
          if (!closed) setLenses(devices.filter(({ kind }) => kind === "videoinput").map(({ deviceId }) => deviceId));
        });
      },
      (error: unknown) => setState(error instanceof DOMException && error.name === "NotAllowedError" ? "denied" : "missing"),
    );
    return () => {
      closed = true;
      if (stream) stop(stream);
    };
  }, [lens]);

  const take = () => {
    if (!video.current) return;
    const canvas = document.createElement("canvas");
    canvas.width = video.current.videoWidth;
    canvas.height = video.current.videoHeight;
    canvas.getContext("2d")?.drawImage(video.current, 0, 0);
    canvas.toBlob((blob) => blob && onPhoto(blob), "image/jpeg", 0.92);
  };
  const turn = () => {
    const track = video.current?.srcObject instanceof MediaStream ? video.current.srcObject.getVideoTracks()[0] : undefined;
    const place = lenses.indexOf(track?.getSettings().deviceId ?? "");
    setLens(lenses[(place + 1) % lenses.length] ?? null);
  };

  return (
    <div className={styles["camera"]}>
      <h2 ref={title} tabIndex={-1}>
        {TITLES[state]}
      </h2>
      {state === "denied" && <p>{words.deniedAdvice}</p>}
      {state === "missing" && <p>{words.missingAdvice}</p>}
      {(state === "asking" || state === "on") && (
        <video ref={video} data-mirrored={mirrored || undefined} autoPlay playsInline muted onPlaying={() => setState("on")} />
      )}
      <div className={styles["buttons"]}>
        <button type="button" className="button primary" onClick={take} disabled={state !== "on"}>
          <Icon name="camera" /> {words.take}
        </button>
        {lenses.length > 1 && (
          <button type="button" className="button" onClick={turn}>
            <Icon name="turn" /> {words.turn}
          </button>
        )}
      </div>
    </div>
  );
}

const stop = (stream: MediaStream) => {
  for (const track of stream.getTracks()) track.stop();
};
