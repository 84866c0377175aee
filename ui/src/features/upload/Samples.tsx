import { useState } from "react";
import { text } from "@/text";
import { useWorkspace } from "../workspace/context";
import styles from "./Samples.module.css";
import beard from "./samples/beard.jpg";
import beardSmall from "./samples/beard-small.jpg";
import longHair from "./samples/long-hair.jpg";
import longHairSmall from "./samples/long-hair-small.jpg";
import nobody from "./samples/nobody.jpg";
import nobodySmall from "./samples/nobody-small.jpg";
import shortHair from "./samples/short-hair.jpg";
import shortHairSmall from "./samples/short-hair-small.jpg";
import two from "./samples/two.jpg";
import twoSmall from "./samples/two-small.jpg";

const words = text.start;
const SAMPLES: readonly [keyof typeof words.sampleNames, picture: string, small: string][] = [
  ["beard", beard, beardSmall],
  ["longHair", longHair, longHairSmall],
  ["shortHair", shortHair, shortHairSmall],
  ["two", two, twoSmall],
  ["nobody", nobody, nobodySmall],
];

/** Pictures to try it with. They are drawn (scripts/draw_samples.py), so they may be shipped, and show nobody. */
export function Samples() {
  const { take } = useWorkspace();
  const [failed, setFailed] = useState(false);
  const tryOut = async (name: string, url: string) => {
    setFailed(false);
    try {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      take([new File([await response.blob()], words.sampleFile(name), { type: "image/jpeg" })]);
    } catch {
      setFailed(true);
    }
  };
  return (
    <div className={styles["samples"]}>
      <p id="samples">{words.samples}</p>
      <ul aria-labelledby="samples">
        {SAMPLES.map(([key, picture, small]) => {
          const name = words.sampleNames[key];
          return (
            <li key={key}>
              <button type="button" onClick={() => void tryOut(name, picture)} title={name}>
                <img src={small} alt={name} width="64" height="64" decoding="async" />
              </button>
            </li>
          );
        })}
      </ul>
      {failed && <p role="alert">{words.sampleGone}</p>}
    </div>
  );
}
