import { useEffect, useState } from "react";
import type { Keeper } from "@/features/workspace/keeper";
import { recall, remember } from "@/shared/remembered";

const CHOICE = "keep-photos";

/** Brings back what an earlier visit left, and the choice whether photos are kept, too. */
export function useKeeping(keeper: Keeper) {
  const [restored, setRestored] = useState(false);
  const [photosToo, setPhotosToo] = useState(() => recall(CHOICE) === "yes");
  const [full, setFull] = useState(false);
  useEffect(() => {
    void keeper.start(recall(CHOICE) === "yes").then(() => setRestored(true));
  }, [keeper]);
  const keepPhotos = (wanted: boolean) => {
    remember(CHOICE, wanted ? "yes" : "no");
    setPhotosToo(wanted);
    setFull(false);
    keeper.keepPhotos(wanted, () => setFull(true));
  };
  return { restored, photosToo, full, keepPhotos };
}
