import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Client, HealthReport } from "@/api/client";
import type { Health } from "@/api/types";
import { useOnline } from "@/shared/useOnline";
import { text } from "@/text";

const CALM_MS = 30_000;
const WORRIED_MS = 3_000;

export type State = keyof typeof text.health.states;

/**
 * The service's state, asked for regularly, and at once when something changes.
 *
 * `busy`: it has just rejected photos as overload. `unreached`: how many photos it did not answer so far; when that grows, the last
 * report is worth nothing.
 */
export function useHealth(client: Client, { busy, unreached }: { busy: boolean; unreached: number }): { state: State; health: Health | null } {
  const online = useOnline();
  const { data, refetch } = useQuery({
    queryKey: ["health"],
    queryFn: ({ signal }) => client.health(signal),
    refetchInterval: ({ state }) => (isHealthy(state.data) && unreached === 0 ? CALM_MS : WORRIED_MS),
    refetchOnWindowFocus: "always",
    refetchOnReconnect: "always",
    networkMode: "always",
  });
  useEffect(() => {
    if (unreached > 0) void refetch();
  }, [unreached, refetch]);
  return { state: stateOf(data, busy, online), health: data?.kind === "report" ? data.health : null };
}

const isHealthy = (report: HealthReport | undefined) => report?.kind === "report" && report.health.status === "healthy";

export function stateOf(report: HealthReport | undefined, photosWait: boolean, online: boolean): State {
  if (!online) return "offline";
  if (!report) return "checking";
  if (report.kind === "no_answer") return "unreachable";
  if (report.kind === "busy") return "busy";
  if (report.health.status === "healthy") return photosWait ? "busy" : "ready";
  return Object.keys(report.health.faults).length > 0 ? "unavailable" : "warming";
}
