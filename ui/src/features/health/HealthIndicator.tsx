import { Popover } from "radix-ui";
import type { Health } from "@/api/types";
import { text } from "@/text";
import styles from "./HealthIndicator.module.css";
import type { State } from "./useHealth";

/** The service's state in a word, with details on click. */
export function HealthIndicator({ state, health }: { state: State; health: Health | null }) {
  const [name, meaning] = text.health.states[state] as [string, string];
  return (
    <Popover.Root>
      <Popover.Trigger className={styles["trigger"]} aria-label={text.health.service(name)}>
        <span className={styles["dot"]} data-state={state} />
        <span className={styles["word"]}>{name}</span>
      </Popover.Trigger>
      <Popover.Content className={styles["panel"]} align="end" sideOffset={8} collisionPadding={12} aria-label={text.health.panel}>
        <p>
          <strong>{name}.</strong> {meaning}
        </p>
        {health && <Models health={health} />}
      </Popover.Content>
    </Popover.Root>
  );
}

function Models({ health }: { health: Health }) {
  return (
    <dl>
      {Object.entries(health.models).map(([role, model]) => (
        <div key={role}>
          <dt>{role}</dt>
          <dd>
            {model ? `${model.name}@${model.revision}` : text.health.notLoaded}
            {health.faults[role] && <em>{health.faults[role]}</em>}
          </dd>
        </div>
      ))}
      <div>
        <dt>{text.health.version}</dt>
        <dd>{health.version}</dd>
      </div>
    </dl>
  );
}
