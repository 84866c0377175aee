import { fromEvent } from "file-selector";

/** So many are looked at before the page has its turn: Chrome asks the disk about each, while the page waits. */
const SLICE = 50;

/**
 * What was chosen or dropped. All of it is looked at here, in slices, because Dropzone reads the sizes of all in one go, which takes
 * Chrome tenths of a second for a thousand photos. Afterwards it knows them.
 */
export async function filesOf(event: Parameters<typeof fromEvent>[0]): ReturnType<typeof fromEvent> {
  const files = await fromEvent(event);
  for (const [index, file] of files.entries()) {
    if (index % SLICE === SLICE - 1) await new Promise((next) => setTimeout(next));
    Reflect.get(file, "size");
  }
  return files;
}
