import { useQuery } from "@tanstack/react-query";
import { Popover } from "radix-ui";
import type { Client, HealthReport } from "../../api/client";
import styles from "./HealthIndicator.module.css";

const CALM_MS = 30_000;
const WORRIED_MS = 3_000;

type State = "checking" | "ready" | "busy" | "warming" | "unavailable" | "offline" | "unreachable";

const WORDS: Record<State, [name: string, text: string]> = {
  checking: ["Checking", "Asking the service whether it is ready."],
  ready: ["Ready", "Both models are loaded."],
  busy: ["Busy", "The service has more photos than it can answer at once. Yours wait here and are sent when it has room."],
  warming: ["Warming up", "The models are being loaded. Photos wait until they are there."],
  unavailable: ["Unavailable", "A model could not be loaded."],
  offline: ["Offline", "Your device has no network. Photos are sent when you try again."],
  unreachable: ["Not reachable", "The service does not answer. This page looks again every few seconds."],
};

/** The service's state in a word, with details on click. `photosWait`: it has just rejected photos as overload. */
export function HealthIndicator({ client, photosWait }: { client: Client; photosWait: boolean }) {
  const { data } = useQuery({
    queryKey: ["health"],
    queryFn: ({ signal }) => client.health(signal),
    refetchInterval: ({ state }) => (isHealthy(state.data) ? CALM_MS : WORRIED_MS),
    refetchOnWindowFocus: "always",
    networkMode: "always",
  });
  const state = stateOf(data, photosWait);
  const [name, text] = WORDS[state];
  const health = data?.kind === "report" ? data.health : null;
  return (
    <Popover.Root>
      <Popover.Trigger className={styles["trigger"]} aria-label={`Service: ${name}`}>
        <span className={styles["dot"]} data-state={state} />
        <span className={styles["word"]}>{name}</span>
      </Popover.Trigger>
      <Popover.Content className={styles["panel"]} align="end" sideOffset={8} collisionPadding={12} aria-label="The service">
        <p>
          <strong>{name}.</strong> {text}
        </p>
        {health && (
          <dl>
            {Object.entries(health.models).map(([role, model]) => (
              <div key={role}>
                <dt>{role}</dt>
                <dd>
                  {model ? `${model.name}@${model.revision}` : "not loaded"}
                  {health.faults[role] && <em>{health.faults[role]}</em>}
                </dd>
              </div>
            ))}
            <div>
              <dt>version</dt>
              <dd>{health.version}</dd>
            </div>
          </dl>
        )}
      </Popover.Content>
    </Popover.Root>
  );
}

const isHealthy = (report: HealthReport | undefined) => report?.kind === "report" && report.health.status === "healthy";

export function stateOf(report: HealthReport | undefined, photosWait: boolean): State {
  if (!navigator.onLine) return "offline";
  if (!report) return "checking";
  if (report.kind === "no_answer") return "unreachable";
  if (report.kind === "busy") return "busy";
  if (report.health.status === "healthy") return photosWait ? "busy" : "ready";
  return Object.keys(report.health.faults).length > 0 ? "unavailable" : "warming";
}
