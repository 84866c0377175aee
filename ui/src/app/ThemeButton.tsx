import { useEffect, useState } from "react";
import { Icon } from "../shared/Icon";

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/** Light or dark: follows the system until pressed. Like everything else on the page, the choice is not stored. */
export function ThemeButton() {
  const [dark, setDark] = useState<boolean | null>(null);
  useEffect(() => {
    if (dark !== null) document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  }, [dark]);
  const shown = dark ?? isDark();
  return (
    <button type="button" className="button round" aria-label={shown ? "Light colours" : "Dark colours"} onClick={() => setDark(!shown)}>
      <Icon name={shown ? "sun" : "moon"} />
    </button>
  );
}
