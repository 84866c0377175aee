import { useSyncExternalStore } from "react";

const subscribe = (changed: () => void) => {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
};

/** What follows # in the address: links and the browser's back button work on any static host, without rewriting. */
export const useHash = (): string => useSyncExternalStore(subscribe, () => location.hash.slice(1));
