import { messages } from "./messages";
import { page } from "./page";
import { photos } from "./photos";

/** Every sentence of the page but those about the models (`model.ts`). Another language is another folder of this shape, whose files import nothing but each other. */
export const en = { ...page, ...photos, messages };

export type Text = typeof en;
