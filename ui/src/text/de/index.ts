import type { Text } from "../en";
import { messages } from "./messages";
import { page } from "./page";
import { photos } from "./photos";

/** The page in German. It is loaded before the rest of the page runs, so it may import nothing of that. */
export const de: Text = { ...page, ...photos, messages };
