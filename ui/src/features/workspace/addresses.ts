import { slugOf } from "./session";

/** The page's addresses. The service answers these with the page, too: PAGE_PATHS in serve_app/http/page.py. */
export const START = "/";
export const PHOTOS = "/photos";
export const PHOTO = "/photos/:slug";
export const HOW = "/how";

export const photoAddress = (id: number): string => `${PHOTOS}/${slugOf(id)}`;
