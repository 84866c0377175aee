import { useState } from "react";
import type { ModelCards } from "@/api/types";
import { Icon } from "@/shared/Icon";
import { Select } from "@/shared/Select";
import { useTitle } from "@/shared/useTitle";
import { text } from "@/text";
import { words } from "@/text/model";
import { useWorkspace } from "../workspace/context";
import { mainSplit } from "../workspace/measured";
import { useModel } from "../workspace/useModel";
import { Facts } from "./Facts";
import { Figures } from "./Figures";
import { Groups } from "./Groups";
import { Limits } from "./Limits";
import styles from "./ModelPage.module.css";
import { Reliability } from "./Reliability";
import { Risk } from "./Risk";

const count = new Intl.NumberFormat(text.locale);

/** What answers here, and how good it is for whom. `classifier`: the one in use, where that is known. */
export default function ModelPage({ classifier }: { classifier: string | null }) {
  const { apiUrl, client } = useWorkspace();
  const { data, isFetching, refetch } = useModel(client, classifier ?? "");
  useTitle(text.titles.of(text.titles.model));
  return (
    <div className={styles["model"]} aria-busy={isFetching || undefined}>
      <h1>{words.title}</h1>
      <p className={styles["lead"]}>{words.lead}</p>
      {data ? (
        <>
          <Measurements cards={data} />
          <Limits cards={data} />
          <Facts cards={data} />
          <p className={styles["link"]}>
            <a href={`${apiUrl}/model/card`} target="_blank" rel="noopener" aria-label={words.cardLabel}>
              {words.card}
            </a>
          </p>
        </>
      ) : isFetching ? (
        <p className={styles["waiting"]}>{text.loading}</p>
      ) : (
        <section className={styles["missing"]} role="alert">
          <h2>{words.missing}</h2>
          <p>{words.missingAdvice}</p>
          <button type="button" className="button primary" onClick={() => void refetch()}>
            <Icon name="retry" /> {words.again}
          </button>
        </section>
      )}
    </div>
  );
}

function Measurements({ cards: { classifier } }: { cards: ModelCards }) {
  const metrics = classifier.metrics ?? {};
  const [chosen, choose] = useState<string | null>(null);
  const name = chosen !== null && chosen in metrics ? chosen : mainSplit(metrics);
  const split = name === undefined ? undefined : metrics[name];
  const least = classifier.decision["min_confidence"];
  if (name === undefined || !split) return <p className={styles["missing"]}>{words.noMetrics}</p>;
  const splits = Object.entries(metrics).map(([each, { photos }]) => [each, words.split(each, count.format(photos))] as const);
  return (
    <>
      <section aria-labelledby="good">
        <div className={styles["head"]}>
          <h2 id="good">{words.goodTitle}</h2>
          <Select label={words.photos} value={name} options={splits} onChange={choose} />
        </div>
        <Figures scores={split} minConfidence={typeof least === "number" ? least : 0} />
      </section>
      <Groups key={name} split={split} />
      <section aria-labelledby="trust">
        <h2 id="trust">{words.plotsTitle}</h2>
        <div className={styles["plots"]}>
          {split.reliability && split.reliability.length > 0 && <Reliability bins={split.reliability} />}
          {split.curve && split.curve.length > 0 && (
            <Risk curve={split.curve} selection={split.selection ?? null} minConfidence={typeof least === "number" ? least : 0} />
          )}
        </div>
      </section>
    </>
  );
}
