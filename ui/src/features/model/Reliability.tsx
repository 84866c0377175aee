import type { ClassifierSplit } from "@/api/types";
import { text } from "@/text";
import { words as modelWords } from "@/text/model";
import { measuredPercent } from "../workspace/confidence";
import { Plot, PlotFigure, ticks } from "./Plot";
import styles from "./Plot.module.css";
import { wilson } from "./wilson";

const words = modelWords.reliability;
const count = new Intl.NumberFormat(text.locale);

/** The reliability plot: how often answers of each confidence are right. */
export function Reliability({ bins }: { bins: NonNullable<ClassifierSplit["reliability"]> }) {
  const shown = bins.filter(({ answers }) => answers > 0).map((bin) => ({ ...bin, interval: wilson(bin.accuracy, bin.answers) }));
  const most = Math.max(...shown.map(({ answers }) => answers));
  const widest = Math.max(...shown.map(({ confidence, accuracy }) => Math.abs(confidence - accuracy)));
  const from = Math.floor(Math.min(0.5, ...shown.map(({ interval }) => interval.low)) * 10) / 10;
  const left = Math.min(0.5, ...shown.map(({ confidence }) => confidence));
  return (
    <PlotFigure
      title={words.title}
      lead={words.lead}
      head={[words.x, words.y, words.interval, words.count]}
      rows={shown.map(({ confidence, accuracy, answers, interval }) => [
        measuredPercent(confidence),
        measuredPercent(accuracy),
        modelWords.range(measuredPercent(interval.low), measuredPercent(interval.high)),
        count.format(answers),
      ])}
    >
      <Plot
        title={words.title}
        description={words.describe(shown.length, measuredPercent(widest))}
        x={{ label: words.x, from: left, to: 1, ticks: ticks(0.5, 1) }}
        y={{ label: words.y, from, to: 1, ticks: ticks(from, 1) }}
      >
        {({ x, y }) => (
          <>
            <line className={styles["ideal"]} x1={x(Math.max(left, from))} y1={y(Math.max(left, from))} x2={x(1)} y2={y(1)} />
            {shown.map(({ low, confidence, accuracy, answers, interval }) => (
              <g key={low}>
                <line className={styles["whisker"]} x1={x(confidence)} x2={x(confidence)} y1={y(interval.low)} y2={y(interval.high)} />
                <circle className={styles["dot"]} cx={x(confidence)} cy={y(accuracy)} r={4 + 6 * Math.sqrt(answers / most)} />
              </g>
            ))}
          </>
        )}
      </Plot>
    </PlotFigure>
  );
}
