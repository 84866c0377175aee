import { useState } from "react";
import { Icon } from "@/shared/Icon";
import { recall, remember } from "@/shared/remembered";
import { text } from "@/text";

const THEME = "theme";
const systemIsDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/** Shows the colours that were chosen last; called before anything is drawn. */
export function applyTheme(): void {
  const chosen = recall(THEME);
  if (chosen) show(chosen);
}

/** The browser's own bars follow, whatever the system's colours are. */
function show(theme: string): void {
  document.documentElement.dataset["theme"] = theme;
  for (const meta of document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]")) meta.media = meta.dataset["of"] === theme ? "all" : "not all";
}

/** Light or dark: follows the system until pressed. */
export function ThemeButton() {
  const [chosen, setChosen] = useState(() => document.documentElement.dataset["theme"]);
  const dark = chosen ? chosen === "dark" : systemIsDark();
  const choose = () => {
    const theme = dark ? "light" : "dark";
    remember(THEME, theme);
    show(theme); // also where nothing can be stored
    setChosen(theme);
  };
  return (
    <button type="button" className="button round" aria-label={dark ? text.header.light : text.header.dark} onClick={choose}>
      <Icon name={dark ? "sun" : "moon"} />
    </button>
  );
}
