import type { Person } from "@/api/types";

const [DARK, LIGHT] = ["#10201b", "#fff"];
const LINE = 1 / 200; // of the longer side
const NUMBER = 1 / 28;

/** A photo with its people's frames as PNG, numbered if there are several: what the page shows, without a choice. */
export async function pictureWithFrames(photo: Blob, people: readonly Person[]): Promise<Blob> {
  const bitmap = await createImageBitmap(photo, { imageOrientation: "from-image" });
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error("no canvas");
  pen.drawImage(bitmap, 0, 0);
  bitmap.close();
  const side = Math.max(width, height);
  const line = Math.max(2, side * LINE);
  const label = Math.max(12, side * NUMBER);
  pen.font = `600 ${label * 0.75}px sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (const [index, { box }] of people.entries()) {
    const [x0, y0, x1, y1] = [box[0] * width, box[1] * height, box[2] * width, box[3] * height];
    // Dark on both sides of the white line, so that it shows on light photos, too.
    for (const [colour, wide] of [[DARK, 2.3 * line], [LIGHT, line]] as const) {
      pen.strokeStyle = colour;
      pen.lineWidth = wide;
      pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
    if (people.length === 1) continue;
    pen.fillStyle = LIGHT;
    pen.fillRect(x0, y0, label, label);
    pen.fillStyle = DARK;
    pen.fillText(`${index + 1}`, x0 + label / 2, y0 + label / 2);
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((png) => (png ? resolve(png) : reject(new Error("no PNG"))), "image/png");
  });
}
