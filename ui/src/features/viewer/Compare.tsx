import { useEffect, useRef, type ReactNode } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { Icon } from "@/shared/Icon";
import { Select } from "@/shared/Select";
import { useTitle } from "@/shared/useTitle";
import { labelOf, text } from "@/text";
import { messageOf } from "@/text/messages";
import { compareAddress, PHOTOS, photoAddress } from "../workspace/addresses";
import { measuredPercent } from "../workspace/confidence";
import { useWorkspace } from "../workspace/context";
import { classifierOf } from "../workspace/measured";
import { answersOf, lineOf } from "../workspace/people";
import { slugOf, type Photo } from "../workspace/session";
import { headline } from "./AnswerPanel";
import panel from "./AnswerPanel.module.css";
import { BoxedPhoto } from "./BoxedPhoto";
import styles from "./Compare.module.css";
import { Sureness } from "./Sureness";

const words = text.compare;

/** Two photos and their answers side by side. The address names them, so that Back and a reload show the same two. */
export default function Compare() {
  const { photos, restored } = useWorkspace();
  const [, go] = useLocation();
  const query = new URLSearchParams(useSearch());
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus({ preventScroll: true }), []);
  useTitle(text.titles.of(text.titles.compare));
  const named = (name: string) => photos.find(({ id }) => slugOf(id) === query.get(name));
  const first = named("first") ?? photos[0];
  const second = named("second") ?? photos.find((photo) => photo !== first);
  if (!first || !second) return restored ? <Few /> : <p className={styles["waiting"]}>{text.loading}</p>;
  const choose = (one: number | string, other: number | string) => go(compareAddress(Number(one), Number(other)), { replace: true });
  return (
    <div className={styles["compare"]}>
      <div className={styles["top"]}>
        <h1 ref={title} tabIndex={-1}>
          {words.title}
        </h1>
        <Link className="button compact" href={PHOTOS} data-screen>
          <Icon name="grid" /> <span>{text.photo.all}</span>
        </Link>
      </div>
      <p className={styles["difference"]}>{difference(first, second)}</p>
      <Side photo={first} label={words.first} onChoose={(id) => choose(id, second.id)} />
      <Side photo={second} label={words.second} onChoose={(id) => choose(first.id, id)} />
    </div>
  );
}

function Side({ photo, label, onChoose }: { photo: Photo; label: string; onChoose: (id: string) => void }) {
  const { photos } = useWorkspace();
  return (
    <section className={styles["side"]} aria-label={label}>
      <Select label={label} value={String(photo.id)} options={photos.map(({ id, name }) => [String(id), name])} onChange={onChoose} />
      <BoxedPhoto key={photo.id} photo={photo} chosen={-1} onChoose={null} />
      <div className={styles["answer"]}>
        <Answer photo={photo} />
        <Link href={photoAddress(photo.id)} data-screen>
          {words.toPhoto}
        </Link>
      </div>
    </section>
  );
}

function Answer({ photo }: { photo: Photo }): ReactNode {
  const { eyebrow, title, large } = headline(photo);
  const { outcome } = photo;
  const answer = outcome?.answer;
  const advice = outcome ? messageOf(outcome.code).advice : "";
  const people = answersOf(outcome);
  const look = [large ? panel["prediction"] : panel["problem"], people.length > 0 && panel["several"], styles["verdict"]];
  const heading = (
    <>
      <p className={panel["eyebrow"]}>{eyebrow}</p>
      <h2 className={look.filter(Boolean).join(" ")}>{title}</h2>
    </>
  );
  if (people.length > 0) {
    return (
      <>
        {heading}
        <ul className={styles["people"]} aria-label={text.people.list}>
          {people.map((person, index) => (
            <li key={index}>{lineOf(person, index + 1)}</li>
          ))}
        </ul>
      </>
    );
  }
  const aboutOne = answer && (answer.prediction !== null || answer.code === "unsure");
  return (
    <>
      {heading}
      {aboutOne ? <Sureness answer={answer} advice={advice} classifier={classifierOf(answer)} /> : <p>{advice}</p>}
    </>
  );
}

/** What the two answers have in common. */
function difference(first: Photo, second: Photo): string {
  const [one, other] = [first.outcome?.answer, second.outcome?.answer];
  if (!one?.prediction || !other?.prediction) return words.without;
  if (one.prediction !== other.prediction) return words.different(labelOf(one.prediction), labelOf(other.prediction));
  return words.alike(labelOf(one.prediction), measuredPercent(Math.abs(one.confidence - other.confidence)));
}

function Few() {
  const { photos, chooseFiles } = useWorkspace();
  return (
    <section className={styles["few"]}>
      <h1>{words.fewTitle}</h1>
      <p>{words.fewAdvice}</p>
      <div>
        <button type="button" className="button primary" onClick={chooseFiles}>
          <Icon name="photo" /> {text.photo.add}
        </button>
        {photos.length > 0 && (
          <Link className="button" href={PHOTOS}>
            {text.photo.all}
          </Link>
        )}
      </div>
    </section>
  );
}
