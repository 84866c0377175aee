import { useState } from "react";
import { predictUrl } from "@/api/client";
import { Icon } from "@/shared/Icon";
import { text } from "@/text";
import { useWorkspace } from "../workspace/context";
import styles from "./Details.module.css";
import { curl, python } from "./program";

/** How to get the same answer from a program, ready to be copied. */
export function Program({ name }: { name: string }) {
  const { apiUrl } = useWorkspace();
  const url = new URL(predictUrl(apiUrl), location.href).href;
  return (
    <details className={styles["details"]} data-screen>
      <summary>{text.answer.ask}</summary>
      <Snippet language="curl" code={curl(url, name)} />
      <Snippet language="Python" code={python(url, name)} />
    </details>
  );
}

function Snippet({ language, code }: { language: string; code: string }) {
  const [copied, setCopied] = useState(false);
  // Browsers have a clipboard for pages only over https and on localhost; elsewhere the text can be selected.
  const copy = "clipboard" in navigator ? () => void navigator.clipboard.writeText(code).then(() => setCopied(true)) : null;
  return (
    <div className={styles["snippet"]}>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls, and the keyboard must be able to do that */}
      <pre tabIndex={0} aria-label={language}>
        {code.trim()}
      </pre>
      {copy && (
        <button type="button" className="button" onClick={copy}>
          <Icon name="copy" /> <span aria-live="polite">{copied ? text.answer.copied : text.answer.copy(language)}</span>
        </button>
      )}
    </div>
  );
}
