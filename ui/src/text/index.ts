import { en, type Text } from "./en";

/** What the page says, in the language of its visitor; there is one so far. */
export const text: Text = en;
