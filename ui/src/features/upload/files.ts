import { fromEvent } from "file-selector";
import { looksLikePhoto } from "./folder";

/** So many are looked at before the page has its turn: Chrome asks the disk about each, while the page waits. */
const SLICE = 50;

/**
 * What was chosen or dropped. All of it is looked at here, in slices, because Dropzone reads the sizes of all in one go, which takes
 * Chrome tenths of a second for a thousand photos. Afterwards it knows them.
 */
export async function filesOf(event: Parameters<typeof fromEvent>[0]): ReturnType<typeof fromEvent> {
  const files = dropped(event as Partial<DragEvent>) ?? (await fromEvent(event));
  for (const [index, file] of files.entries()) {
    if (index % SLICE === SLICE - 1) await new Promise((next) => setTimeout(next));
    Reflect.get(file, "size");
  }
  return files;
}

/**
 * The photos that were dropped, if there is nothing else among them. Whether something is a folder, Chrome asks the disk, one after the
 * other, before the page has its turn: for a thousand photos that took more than a second.
 */
function dropped({ type, dataTransfer }: Partial<DragEvent>): File[] | null {
  const files = type === "drop" ? [...(dataTransfer?.files ?? [])] : [];
  return files.length > 0 && files.every(looksLikePhoto) ? files : null;
}
