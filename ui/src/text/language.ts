/** The languages of the page, the first of them where a visitor's is none of these. */
export const LANGUAGES = { en: "English", de: "Deutsch" } as const;

export type Language = keyof typeof LANGUAGES;

/** Where the visitor's choice is kept. */
export const CHOICE = "language";

const isLanguage = (value: string): value is Language => Object.hasOwn(LANGUAGES, value);

/** The language that was chosen, or else the first of the browser's that the page speaks. */
export function chooseLanguage(chosen: string | null, preferred: readonly string[]): Language {
  const wanted = [...(chosen ? [chosen] : []), ...preferred].map((tag) => tag.toLowerCase().split("-")[0] ?? "");
  return wanted.find(isLanguage) ?? "en";
}

/** The language of this visit: to choose another one, the page is loaded again. */
export const language: Language = chooseLanguage(kept(), typeof document === "undefined" ? [] : navigator.languages);

function kept(): string | null {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    return null; // no storage, or none allowed
  }
}
