import type { ClassifierSplit } from "@/api/types";
import { words as modelWords } from "@/text/model";
import { measuredPercent, percent } from "../workspace/confidence";
import { Plot, PlotFigure, ticks } from "./Plot";
import styles from "./Plot.module.css";

const words = modelWords.risk;
const ROWS = 10;

interface Props {
  curve: NonNullable<ClassifierSplit["curve"]>;
  /** Where the service stands; null when it does not say. */
  selection: ClassifierSplit["selection"] | null;
  minConfidence: number;
}

/** The risk-coverage plot: how many answers are wrong when only the surer ones are given. */
export function Risk({ curve, selection, minConfidence }: Props) {
  const steps = ticks(0, Math.max(...curve.map(({ risk }) => risk), 0.005));
  const served = minConfidence > 0 && selection?.risk ? { coverage: selection.coverage.value, risk: selection.risk.value } : null;
  const every = Math.ceil(curve.length / ROWS);
  const rows = curve.filter((_, index) => (curve.length - 1 - index) % every === 0); // the last one, of all answers, is among them
  const half = curve.find(({ coverage }) => coverage >= 0.5);
  return (
    <PlotFigure
      title={words.title}
      lead={words.lead}
      head={[words.threshold, words.x, words.y]}
      rows={rows.map(({ threshold, coverage, risk }) => [percent(threshold), measuredPercent(coverage), measuredPercent(risk)])}
    >
      <Plot
        title={words.title}
        description={words.describe(measuredPercent(curve.at(-1)?.risk ?? 0), measuredPercent((half ?? curve.at(-1))?.risk ?? 0))}
        x={{ label: words.x, from: 0, to: 1, ticks: ticks(0, 1) }}
        y={{ label: words.y, from: 0, to: steps.at(-1) ?? 1, ticks: steps }}
      >
        {({ x, y }) => (
          <>
            <path className={styles["curve"]} d={`M${curve.map(({ coverage, risk }) => `${x(coverage).toFixed(1)} ${y(risk).toFixed(1)}`).join("L")}`} />
            {served && (
              <>
                <circle className={styles["dot"]} cx={x(served.coverage)} cy={y(served.risk)} r="7" />
                <text className={styles["marked"]} x={x(served.coverage) - 4} y={y(served.risk) - 16} textAnchor="end">
                  {words.served(percent(minConfidence))}
                </text>
              </>
            )}
          </>
        )}
      </Plot>
    </PlotFigure>
  );
}
