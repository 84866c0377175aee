import { LONG_SIDE, MAX_IMAGE_BYTES } from "../../api/limits";

const THUMBNAIL_SIDE = 320;
const QUALITY = 0.92;

export interface Reduced {
  /** What to send instead of the file; null when the file itself is small enough. */
  upload: Blob | null;
  thumbnail: Blob;
}

/**
 * Opens a photo and reduces it. Runs in a worker: opening takes tenths of a second for a phone's photo.
 *
 * The bitmap is upright (EXIF applied) and so is what is drawn from it, so boxes relative to the upright photo fit both.
 * @throws when the browser cannot open the file.
 */
export async function reduce(file: Blob): Promise<Reduced> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    const keep = Math.max(bitmap.width, bitmap.height) <= LONG_SIDE && file.size <= MAX_IMAGE_BYTES && (await serviceReads(file));
    return {
      upload: keep ? null : await draw(bitmap, LONG_SIDE),
      thumbnail: await draw(bitmap, THUMBNAIL_SIDE),
    };
  } finally {
    bitmap.close();
  }
}

/** Width and height within a square of `side`, never enlarged. */
export function fit(width: number, height: number, side: number): [number, number] {
  const scale = Math.min(1, side / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

async function draw(bitmap: ImageBitmap, side: number): Promise<Blob> {
  const [width, height] = fit(bitmap.width, bitmap.height, side);
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { alpha: false });
  if (!pen) throw new Error("no canvas");
  pen.fillStyle = "white"; // as the service does with what is transparent
  pen.fillRect(0, 0, width, height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, width, height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
}

/** Whether the file begins like one of the service's formats. What only the browser reads (AVIF, HEIC in Safari) is sent as JPEG. */
export async function serviceReads(file: Blob): Promise<boolean> {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  return /^(\xff\xd8\xff|\x89PNG|GIF8|BM|II[*+]\0|MM\0[*+]|RIFF[^]{4}WEBP)/.test(head);
}
