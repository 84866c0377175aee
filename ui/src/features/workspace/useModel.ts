import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Client } from "@/api/client";
import { measuredOf, type Measured } from "./measured";

/**
 * The cards of the models in use, asked for once.
 *
 * `classifier`: the one in use, as answers name it; another one asks again. Null: nobody needs them yet.
 */
export function useModel(client: Client, classifier: string | null) {
  return useQuery({
    queryKey: ["model", classifier],
    queryFn: ({ signal }) => client.model(signal),
    enabled: classifier !== null,
    placeholderData: (previous) => previous, // until the new one's are there, so that nothing jumps
    staleTime: ({ state }) => (state.data ? Infinity : 0),
    refetchOnWindowFocus: false,
    networkMode: "always",
  });
}

/** What was measured for the classifier that answers; null until it is known, and where it never is. */
export function useMeasured(client: Client, classifier: string | null): Measured | null {
  const { data } = useModel(client, classifier);
  return useMemo(() => (data ? measuredOf(data) : null), [data]);
}
