import { useQuery } from "@tanstack/react-query";
import type { HeatMap } from "@/api/client";
import type { PageProblem } from "@/text/messages";
import { useWorkspace } from "../workspace/context";
import type { Photo } from "../workspace/session";

export interface HeatMapState {
  /** Null while it is not there. */
  map: HeatMap | null;
  /** Why it is not there; null while it is asked for. */
  problem: string | null;
  again: () => void;
}

/** What is sent: what was sent for the answer, or where only that was kept, the file. */
const imageOf = ({ upload, file }: Photo): Blob | null => upload ?? file;

/** The service explains answers about exactly one person, and needs the photo again. */
export function canExplain(photo: Photo): boolean {
  const answer = photo.outcome?.answer;
  return Boolean(imageOf(photo) && answer?.probabilities && answer.people.length === 1);
}

/** What the answer about a photo hangs on, asked for once it is wanted. */
export function useHeatMap(photo: Photo, wanted: boolean): HeatMapState {
  const { client } = useWorkspace();
  const image = imageOf(photo);
  const { data, isFetching, refetch } = useQuery({
    queryKey: ["heat map", photo.id, photo.outcome?.requestId],
    queryFn: ({ signal }) => (image ? client.explain(image, photo.name, signal) : null),
    enabled: wanted && canExplain(photo),
    staleTime: Infinity,
    gcTime: Infinity,
    refetchOnReconnect: false,
    refetchOnWindowFocus: false,
    networkMode: "always",
  });
  const problem = isFetching || !data ? null : data.kind === "fault" ? data.code : data.kind === "no_answer" ? ("unreachable" satisfies PageProblem) : data.map ? null : NONE;
  return { map: data?.kind === "explanation" ? data.map : null, problem, again: () => void refetch() };
}

/** The service has answered without an explanation. */
export const NONE = "no explanation";
