import { useEffect, useRef } from "react";
import type { State } from "@/features/health/useHealth";
import type { PhotoSession } from "@/features/workspace/session";

/** Goes on by itself with the photos that did not reach the service, as soon as it answers again. */
export function useRecovery(session: PhotoSession, state: State): void {
  const before = useRef(state);
  useEffect(() => {
    if (state === "ready" && before.current !== "ready") session.resume();
    before.current = state;
  }, [session, state]);
}
