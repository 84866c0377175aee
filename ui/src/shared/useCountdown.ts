import { useSyncExternalStore } from "react";

const tick = (changed: () => void) => {
  const timer = setInterval(changed, 250);
  return () => clearInterval(timer);
};
const never = () => () => undefined;

/** Whole seconds until a time, right from the first moment; 0 when there is none. */
export const useCountdown = (until: number | null): number =>
  useSyncExternalStore(until === null ? never : tick, () => (until === null ? 0 : Math.max(0, Math.ceil((until - Date.now()) / 1000))));
