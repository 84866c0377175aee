import { useState } from "react";
import { download } from "@/shared/download";
import { Icon } from "@/shared/Icon";
import { text } from "@/text";
import type { Photo } from "../workspace/session";

const words = text.picture;

/** Copies the photo with its frames, as a picture; saves it where the browser cannot copy pictures, or may not. */
export function CopyPicture({ photo: { preview, upload, file, name, outcome } }: { photo: Photo }) {
  const [done, setDone] = useState<"copied" | "saved" | "failed" | null>(null);
  const people = outcome?.answer?.people ?? [];
  const image = preview ?? upload ?? file;
  if (!image || image === "coming" || people.length === 0) return null;
  const canCopy = "ClipboardItem" in window && "clipboard" in navigator;

  const act = async () => {
    const picture = import("./picture").then(({ pictureWithFrames }) => pictureWithFrames(image, people));
    try {
      const isCopied = canCopy && (await copy(picture));
      if (!isCopied) download(await picture, words.fileName(name.replace(/\.\w+$/, ""), people.length));
      setDone(isCopied ? "copied" : "saved");
    } catch {
      setDone("failed");
    }
  };
  return (
    <button type="button" className="button" data-screen onClick={() => void act()}>
      <Icon name={canCopy ? "copy" : "download"} /> <span aria-live="polite">{done ? words[done] : (canCopy ? words.copy : words.save)(people.length)}</span>
    </button>
  );
}

/** Whether it is in the clipboard: browsers may forbid it. Safari takes only what is promised at the click itself. */
const copy = (picture: Promise<Blob>): Promise<boolean> =>
  navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]).then(
    () => true,
    () => false,
  );
