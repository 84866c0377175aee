import { useState } from "react";
import { Icon } from "@/shared/Icon";
import { recall, remember } from "@/shared/remembered";
import { text } from "@/text";

const THEME = "theme";
const systemIsDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/** Shows the colours that were chosen last; called before anything is drawn. */
export function applyTheme(): void {
  const chosen = recall(THEME);
  if (chosen) document.documentElement.dataset["theme"] = chosen;
}

/** Light or dark: follows the system until pressed. */
export function ThemeButton() {
  const [chosen, setChosen] = useState(() => document.documentElement.dataset["theme"]);
  const dark = chosen ? chosen === "dark" : systemIsDark();
  const choose = () => {
    const theme = dark ? "light" : "dark";
    remember(THEME, theme);
    document.documentElement.dataset["theme"] = theme; // also where nothing can be stored
    setChosen(theme);
  };
  return (
    <button type="button" className="button round" aria-label={dark ? text.header.light : text.header.dark} onClick={choose}>
      <Icon name={dark ? "sun" : "moon"} />
    </button>
  );
}
