import { Suspense, useEffect, useRef } from "react";
import { Area } from "@/shared/Area";
import { chunk } from "@/shared/chunk";
import { Icon } from "@/shared/Icon";
import { text } from "@/text";
import styles from "./CameraDialog.module.css";

const [Camera, loadCamera] = chunk(() => import("./Camera"));
export { loadCamera };

interface Props {
  onPhoto: (photo: Blob) => void;
  onClose: () => void;
  onReload: () => void;
}

/** The camera above the page, which stays as it is: Escape closes it, and the focus returns to where it was. */
export function CameraDialog({ onPhoto, onClose, onReload }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    const before = document.activeElement;
    shown?.showModal();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} className={styles["dialog"]} aria-label={text.camera.label} onCancel={onClose}>
      <button type="button" className={`button round ${styles["close"] ?? ""}`} aria-label={text.camera.close} onClick={onClose}>
        <Icon name="close" />
      </button>
      <Area onReload={onReload}>
        <Suspense fallback={<p className={styles["loading"]}>{text.loading}</p>}>
          <Camera onPhoto={onPhoto} />
        </Suspense>
      </Area>
    </dialog>
  );
}
