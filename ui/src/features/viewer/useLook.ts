import { useState } from "react";
import * as v from "valibot";
import { recall, remember } from "@/shared/remembered";

const KEY = "looks";
/** What the visitor looks at in a photo: which of several people, by their place in the answer, and whether "Why?" is open. */
const look = v.object({ person: v.number(), why: v.boolean() });
const looks = v.record(v.string(), look);
type Look = v.InferOutput<typeof look>;

/** Until something else is chosen: the largest person. */
const FIRST: Look = { person: 0, why: false };

/** Each photo has its own, also after other pages and over a reload, in this tab. */
export function useLook(photo: number): [Look, (change: Partial<Look>) => void] {
  const [all, setAll] = useState(kept);
  const chosen = all[photo] ?? FIRST;
  const change = (wanted: Partial<Look>) => {
    const changed = { ...all, [photo]: { ...chosen, ...wanted } };
    setAll(changed);
    remember(KEY, JSON.stringify(changed), "sessionStorage");
  };
  return [chosen, change];
}

function kept(): Record<string, Look> {
  try {
    const told: unknown = JSON.parse(recall(KEY, "sessionStorage") ?? "{}");
    return v.is(looks, told) ? told : {};
  } catch {
    return {};
  }
}
