import { useCallback, useEffect, useLayoutEffect } from "react";
import { useLocation } from "wouter";

let cameBack = false;
addEventListener("popstate", () => (cameBack = true), { capture: true }); // before the router hears of it

/** Goes to another address of the page. */
export function useGo(): (address: string, options?: { replace?: boolean }) => void {
  const [, navigate] = useLocation();
  return useCallback((address, options) => navigate(address, options), [navigate]);
}

/** A new address begins at its top, or at the section that its fragment names. Back and Forward return to where the visitor was. */
export function useScroll(): void {
  const [path] = useLocation();
  useLayoutEffect(() => {
    if (!cameBack && !location.hash) scrollTo(0, 0);
    cameBack = false;
  }, [path]);
  useEffect(() => {
    const section = location.hash && document.getElementById(location.hash.slice(1));
    if (!section) return;
    section.scrollIntoView();
    section.focus({ preventScroll: true });
  }, [path]);
}
