import { useEffect, useRef, useState } from "react";
import { Icon } from "../../shared/Icon";
import styles from "./Camera.module.css";

interface Props {
  onPhoto: (file: File) => void;
  onClose: () => void;
}

/** The camera's live image, and a button that takes a photo. The camera is on only while this is mounted. */
export default function Camera({ onPhoto, onClose }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const [state, setState] = useState<"asking" | "on" | "denied" | "missing">("asking");

  useEffect(() => {
    title.current?.focus();
    let stream: MediaStream | null = null;
    let closed = false;
    navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } } }).then(
      (opened) => {
        stream = opened;
        if (closed) stop(opened);
        else if (video.current) video.current.srcObject = opened;
      },
      (error: unknown) => setState(error instanceof DOMException && error.name === "NotAllowedError" ? "denied" : "missing"),
    );
    return () => {
      closed = true;
      if (stream) stop(stream);
    };
  }, []);

  const take = () => {
    if (!video.current) return;
    const canvas = document.createElement("canvas");
    canvas.width = video.current.videoWidth;
    canvas.height = video.current.videoHeight;
    canvas.getContext("2d")?.drawImage(video.current, 0, 0);
    canvas.toBlob((blob) => blob && onPhoto(new File([blob], "Camera photo.jpg", { type: "image/jpeg" })), "image/jpeg", 0.92);
  };

  return (
    <section className={styles["camera"]} aria-label="Camera">
      <h1 ref={title} tabIndex={-1}>
        {{ asking: "Starting the camera", on: "One person, head and shoulders or more", denied: "The camera is not allowed", missing: "No camera found" }[state]}
      </h1>
      {state === "denied" && <p>Allow the camera for this page in your browser’s address bar, and open it again. Or choose a photo instead.</p>}
      {state === "missing" && <p>Connect one, or close the program that uses it. Or choose a photo instead.</p>}
      {(state === "asking" || state === "on") && <video ref={video} autoPlay playsInline muted onPlaying={() => setState("on")} />}
      <div>
        <button type="button" className="button primary" onClick={take} disabled={state !== "on"}>
          <Icon name="camera" /> Take the photo
        </button>
        <button type="button" className="button" onClick={onClose}>
          <Icon name="close" /> Close the camera
        </button>
      </div>
    </section>
  );
}

const stop = (stream: MediaStream) => {
  for (const track of stream.getTracks()) track.stop();
};
