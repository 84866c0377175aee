import { useSyncExternalStore } from "react";

const subscribe = (changed: () => void) => {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
};

/** The URL's hash. Hash routes make links and the back button work on any static host, without rewrites. */
export const useHash = (): string => useSyncExternalStore(subscribe, () => location.hash.slice(1));
