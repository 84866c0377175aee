import type { ModelCards } from "@/api/types";
import { text } from "@/text";
import { words } from "@/text/model";
import styles from "./ModelPage.module.css";
import { plain } from "./plain";

/** What the models must not be used for, and what they do badly, in their own cards' words. */
export function Limits({ cards }: { cards: ModelCards }) {
  const roles = (["classifier", "detector"] as const).filter((role) => cards[role].limits.length > 0);
  return (
    <>
      <section aria-labelledby="use">
        <h2 id="use">{words.useTitle}</h2>
        <div className={styles["warning"]}>
          {text.about.parts.slice(1).map(([title, body]) => (
            <p key={title}>
              <strong>{title}</strong> {body}
            </p>
          ))}
          {cards.classifier.summary && <p lang="en">{plain(cards.classifier.summary)}</p>}
        </div>
      </section>
      {roles.length > 0 && (
        <section aria-labelledby="limits">
          <h2 id="limits">{words.limitsTitle}</h2>
          <div className={styles["columns"]}>
            {roles.map((role) => (
              <div key={role}>
                <h3>{words.limitsOf[role]}</h3>
                <ul lang="en">
                  {cards[role].limits.map((limit) => (
                    <li key={limit}>{plain(limit)}</li>
                  ))}
                </ul>
              </div>
            ))}
          </div>
        </section>
      )}
    </>
  );
}
