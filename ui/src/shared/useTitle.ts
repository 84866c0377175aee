import { useEffect } from "react";

/** The title of the tab, and so of the entry in the browser's history. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}
