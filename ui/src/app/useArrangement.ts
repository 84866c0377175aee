import { useState } from "react";
import { AS_ADDED, isFilter, isSort, type Arrangement } from "@/features/workspace/arrange";
import { recall, remember } from "@/shared/remembered";

const KEY = "arrangement";

/** How the gallery shows the photos: kept over a reload, in this tab. */
export function useArrangement(): [Arrangement, (arrangement: Arrangement) => void] {
  const [arrangement, set] = useState(kept);
  const arrange = (wanted: Arrangement) => {
    set(wanted);
    remember(KEY, JSON.stringify(wanted), "sessionStorage");
  };
  return [arrangement, arrange];
}

function kept(): Arrangement {
  try {
    const { layout, filter, sort, threshold } = JSON.parse(recall(KEY, "sessionStorage") ?? "{}") as Record<keyof Arrangement, unknown>;
    return {
      layout: layout === "table" ? layout : AS_ADDED.layout,
      filter: typeof filter === "string" && isFilter(filter) ? filter : AS_ADDED.filter,
      sort: typeof sort === "string" && isSort(sort) ? sort : AS_ADDED.sort,
      threshold: typeof threshold === "number" ? threshold : AS_ADDED.threshold,
    };
  } catch {
    return AS_ADDED;
  }
}
