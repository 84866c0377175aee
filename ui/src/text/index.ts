import { en, type Text } from "./en";
import { language } from "./language";

/** What the page says, in the language of its visitor. English comes with the page, another language before anything is shown. */
export const text: Text = language === "de" ? await german() : en;

/** The word for a classifier's label. */
export const labelOf = (label: string): string => text.labels[label] ?? label;

/** Without the other table the page is there all the same, in English. */
async function german(): Promise<Text> {
  try {
    return (await import("./de")).de;
  } catch (error) {
    console.warn("the German words could not be loaded", error);
    return en;
  }
}
