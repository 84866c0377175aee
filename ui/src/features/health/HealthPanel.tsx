import { Popover } from "radix-ui";
import type { Health } from "@/api/types";
import { text } from "@/text";
import { Light, type Props } from "./HealthIndicator";
import styles from "./HealthIndicator.module.css";

/** The button with its panel, which is open at first: it has been asked for. */
export default function HealthPanel({ state, health }: Props) {
  const [name, meaning] = text.health.states[state] as [string, string];
  return (
    <Popover.Root defaultOpen>
      <Popover.Trigger className={styles["trigger"]} aria-label={text.health.service(name)}>
        <Light state={state} />
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
