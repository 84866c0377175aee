import type { HeatMap as Map } from "@/api/client";
import { labelOf, text } from "@/text";
import { strengths } from "./heat";
import styles from "./HeatMap.module.css";

/** What speaks for the answer and against it, in two colours over the person's frame. */
export default function HeatMap({ map, strength }: { map: Map; strength: number }) {
  const [x0, y0, x1, y1] = map.box;
  return (
    <svg viewBox="0 0 1 1" preserveAspectRatio="none" role="img" aria-label={text.why.map(labelOf(map.label))}>
      {strengths(map).map((row, r, rows) => {
        const [width, height] = [(x1 - x0) / row.length, (y1 - y0) / rows.length];
        return row.map((share, c) => (
          <rect
            key={`${r} ${c}`}
            className={share > 0 ? styles["for"] : styles["against"]}
            x={x0 + c * width}
            y={y0 + r * height}
            width={width}
            height={height}
            fillOpacity={strength * Math.abs(share)}
          />
        ));
      })}
    </svg>
  );
}
