import { language } from "./language";
import { model } from "./en/model";

/** What the page about the models says. It is apart from `text`, so that it is loaded with that page. */
export const words: typeof model = language === "de" ? await german() : model;

async function german(): Promise<typeof model> {
  try {
    return (await import("./de/model")).model;
  } catch (error) {
    console.warn("the German words could not be loaded", error);
    return model;
  }
}
