import { useEffect, useState } from "react";

/** More would be noticed: a card takes half a millisecond, several times that on a phone. */
export const STEP = 50;

/** How many of `count` are drawn: a few at first, and the rest a few at a time, so that the page never stalls, however many there are. */
export function useGradually(count: number): number {
  const [drawn, setDrawn] = useState(STEP);
  const next = Math.min(drawn, count) + STEP; // fewer after a filter, too, or its end would draw all at once
  useEffect(() => {
    const timer = setTimeout(() => setDrawn(next));
    return () => clearTimeout(timer);
  }, [next]);
  return Math.min(drawn, count);
}
