import { useId, type ReactNode } from "react";
import { text } from "@/text";
import { words as modelWords } from "@/text/model";
import styles from "./Plot.module.css";

const [WIDTH, HEIGHT] = [460, 330];
const [LEFT, RIGHT, TOP, BOTTOM] = [62, 26, 14, 56];

/** For axes: percentages as short as they are. */
export const wholePercent = new Intl.NumberFormat(text.locale, { style: "percent", maximumFractionDigits: 1 });

export interface Axis {
  label: string;
  from: number;
  to: number;
  ticks: readonly number[];
}

/** Turns the values of a point into its place in the picture. */
export interface Place {
  x: (value: number) => number;
  y: (value: number) => number;
}

interface Props {
  title: string;
  /** What a plot shows, for those who do not see it. */
  description: string;
  x: Axis;
  y: Axis;
  children: (place: Place) => ReactNode;
}

/** Two axes of shares, and what is drawn between them. */
export function Plot({ title, description, x, y, children }: Props) {
  const id = useId();
  const place: Place = {
    x: (value) => LEFT + ((value - x.from) / (x.to - x.from)) * (WIDTH - LEFT - RIGHT),
    y: (value) => HEIGHT - BOTTOM - ((value - y.from) / (y.to - y.from)) * (HEIGHT - TOP - BOTTOM),
  };
  const [left, right, bottom, top] = [place.x(x.from), place.x(x.to), place.y(y.from), place.y(y.to)];
  return (
    <svg className={styles["plot"]} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-labelledby={`${id}-title`} aria-describedby={`${id}-description`}>
      <title id={`${id}-title`}>{title}</title>
      <desc id={`${id}-description`}>{description}</desc>
      <g aria-hidden="true">
        {y.ticks.map((tick) => (
          <g key={tick}>
            <line className={styles["grid"]} x1={left} x2={right} y1={place.y(tick)} y2={place.y(tick)} />
            <text x={left - 8} y={place.y(tick)} dy="0.32em" textAnchor="end">
              {wholePercent.format(tick)}
            </text>
          </g>
        ))}
        {x.ticks.map((tick) => (
          <text key={tick} x={place.x(tick)} y={bottom + 22} textAnchor="middle">
            {wholePercent.format(tick)}
          </text>
        ))}
        <line className={styles["axis"]} x1={left} x2={right} y1={bottom} y2={bottom} />
        <text className={styles["label"]} x={(left + right) / 2} y={HEIGHT - 8} textAnchor="middle">
          {x.label}
        </text>
        <text className={styles["label"]} textAnchor="middle" transform={`translate(13 ${(bottom + top) / 2}) rotate(-90)`}>
          {y.label}
        </text>
        {children(place)}
      </g>
    </svg>
  );
}

/** Ticks at round steps from a value to another, about five of them. */
export function ticks(from: number, to: number): number[] {
  const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2].find((each) => (to - from) / each <= 6.001) ?? 0.2;
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.ceil(to / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toFixed(4)));
}

interface FigureProps {
  title: string;
  lead: string;
  /** The plot. */
  children: ReactNode;
  head: readonly string[];
  rows: readonly (readonly string[])[];
}

/** A plot with its words, and the same as a table. */
export function PlotFigure({ title, lead, children, head, rows }: FigureProps) {
  return (
    <figure className={styles["figure"]}>
      <figcaption>
        <h3>{title}</h3>
        <p>{lead}</p>
      </figcaption>
      {children}
      <details>
        <summary>{modelWords.asTable}</summary>
        <table>
          <caption className="visually-hidden">{title}</caption>
          <thead>
            <tr>
              {head.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.join(" ")}>
                {row.map((cell, index) => (
                  <td key={head[index]}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}
