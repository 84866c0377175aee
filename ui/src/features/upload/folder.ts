const PHOTO_NAME = /\.(jpe?g|jpe|hei[cf]|avif|png|webp|gif|bmp|tiff?)$/i;

/** For the file chooser. Some systems know no type for the photos of phones, so their endings are named. */
export const ACCEPT = "image/*,.heic,.heif,.avif";

/** Folders hold more than photos: of what came from one, only what looks like a photo. What was chosen by itself is kept. */
export const photosOf = (files: readonly File[]): File[] =>
  files.filter((file) => !cameInFolder(file) || (!file.name.startsWith(".") && looksLikePhoto(file)));

/** By its type or its name, for neither of which the disk is asked. */
export const looksLikePhoto = ({ name, type }: File): boolean => type.startsWith("image/") || PHOTO_NAME.test(name);

/** `path` is what react-dropzone adds: "./a.jpg" for a file, "/folder/a.jpg" for one in a folder. */
function cameInFolder(file: File & { path?: string }): boolean {
  return (file.webkitRelativePath || (file.path ?? "").replace(/^\.?\//, "")).includes("/");
}
