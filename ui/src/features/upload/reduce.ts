import { LONG_SIDE, MAX_IMAGE_BYTES } from "@/api/limits";

const THUMBNAIL_SIDE = 320;
const QUALITY = 0.92;

export interface Reduced {
  /** What to send instead of the file; null when the file itself is small enough. */
  upload: Blob | null;
  thumbnail: Blob;
}

/** Scales a photo down; null when the browser cannot decode it. */
export type Reduce = (file: File) => Promise<Reduced | null>;

/**
 * Decodes a photo and scales it down. Runs in a worker: decoding a phone's photo takes tenths of a second.
 *
 * The bitmap is upright (EXIF applied), and so is the result, so boxes relative to the upright photo fit both.
 * @throws when the browser cannot decode the file.
 */
export async function reduce(file: Blob): Promise<Reduced> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    const keep = Math.max(bitmap.width, bitmap.height) <= LONG_SIDE && file.size <= MAX_IMAGE_BYTES && (await serviceReads(file));
    return { upload: keep ? null : await draw(bitmap, LONG_SIDE), thumbnail: await draw(bitmap, THUMBNAIL_SIDE) };
  } finally {
    bitmap.close();
  }
}

/** The same of a photo that is decoded already. */
export async function reduced(pixels: ImageData): Promise<Reduced> {
  const bitmap = await createImageBitmap(pixels);
  try {
    return { upload: await draw(bitmap, LONG_SIDE), thumbnail: await draw(bitmap, THUMBNAIL_SIDE) };
  } finally {
    bitmap.close();
  }
}

/** Width and height scaled to fit a square of `side`, never enlarged. */
export function fit(width: number, height: number, side: number): [number, number] {
  const scale = Math.min(1, side / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

async function draw(bitmap: ImageBitmap, side: number): Promise<Blob> {
  const [width, height] = fit(bitmap.width, bitmap.height, side);
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { alpha: false });
  if (!pen) throw new Error("no canvas");
  pen.fillStyle = "white"; // the service also puts transparent images on white
  pen.fillRect(0, 0, width, height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, width, height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
}

/** Whether the file says that it is HEIC, which only some browsers can decode. */
export async function isHeic(file: Blob): Promise<boolean> {
  return /^[^]{4}ftyp(he[iv][cxms]|m[is]f1)/.test(await head(file));
}

/** Whether the file starts with the signature of a format that the service accepts. Others (SVG, JPEG XL) are sent as JPEG. */
export async function serviceReads(file: Blob): Promise<boolean> {
  return /^(\xff\xd8\xff|\x89PNG|GIF8|BM|II[*+]\0|MM\0[*+]|RIFF[^]{4}WEBP|[^]{4}ftyp(he[iv][cxms]|avi[fs]))/.test(await head(file));
}

const head = async (file: Blob): Promise<string> => String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
