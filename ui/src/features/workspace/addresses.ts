import { slugOf } from "./session";

/** The page's addresses. The service answers these with the page, too: PAGE_PATHS in serve_app/http/page.py. */
export const START = "/";
export const PHOTOS = "/photos";
export const PHOTO = "/photos/:slug";
export const COMPARE = "/compare";
export const HOW = "/how";
/** Also where the service tells programs what its models are. */
export const MODEL = "/model";

/** Two photos side by side, which the query names. */
export const compareAddress = (first: number, second: number): string => `${COMPARE}?first=${slugOf(first)}&second=${slugOf(second)}`;

export const photoAddress = (id: number): string => `${PHOTOS}/${slugOf(id)}`;
