import { useEffect } from "react";

/** While photos are in work, the browser asks before the page is left. */
export function useLeaving(working: boolean): void {
  useEffect(() => {
    if (!working) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [working]);
}
