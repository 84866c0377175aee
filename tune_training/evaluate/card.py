"""Renders `metrics.json` as Markdown, writes model cards, and keeps the tables of cards and README up to date with it."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Annotated, Any

import typer
from safetensors import safe_open

from serve_app.checkpoints import Checkpoint
from serve_app.runtimes.base import LABELS
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR
from tune_training.data.table import SOURCE
from tune_training.evaluate.metrics_file import Metrics, plain, read_metrics
from tune_training.evaluate.scores import Estimate
from tune_training.io.errors import InputError

CARD_FILE = "MODEL_CARD.md"
BEGIN = "<!-- metrics:begin -->"
END = "<!-- metrics:end -->"

_BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)

_CARD = Template("""\
# $name

Guesses, from a crop of one person, which of two gender presentations (`male`, `female`) most people would see in it. It says nothing about
anyone's gender identity, has no third answer, and must not be used for decisions about people.

| | |
|---|---|
| architecture | `$architecture`, $parameters million parameters, labels $labels |
| input | the crop of the person, resized to $size x $size pixels |

## How good it is

Measured through the service's own pipeline, on photos that the model was not trained on. *Answered* is the share of photos in which the
detector counted exactly one person; all other metrics are about these. Brackets hold 95 % confidence intervals: Wilson's for shares, the
percentile bootstrap's for balanced accuracy, the gap and ECE (expected calibration error).

$block

## Limits

- Each label is one of two words that somebody once chose for a photo.
- The model errs more often on people who are rare in the training photos. The tables cover only groups that the photos had labels for.
- Confidence is calibrated on photos like those of the validation split. On others it may be too high.
""")


def metrics_table(metrics: Metrics) -> str:
    """A Markdown table of the metrics of a detector or a classifier, by source; shares in percent, to one decimal."""
    if "person_count" in metrics:
        return _table(["people counted rightly", "split", "photos", "accuracy"], _count_rows(metrics["person_count"]), named=2)
    header = ["photos of one person each", "split", "photos", "answered", "balanced accuracy", "recall female", "recall male", "ECE"]
    return _table(header, _answer_rows(metrics["splits"]), named=2)


def metrics_block(folders: Sequence[Path]) -> str:
    """The tables of the models, between the markers."""
    return _block(metrics_table(read_metrics(folder)) for folder in folders)


def card_block(metrics: Metrics) -> str:
    """The metrics on a card, between the markers: the table and, for a classifier, its calibration and its groups."""
    return _block([metrics_table(metrics), *(part for name, split in metrics.get("splits", {}).items() for part in _details(name, split))])


def with_block(text: str, block: str, document: object) -> str:
    """The text with its block replaced by this one.

    Raises:
        InputError: it does not have exactly one block.
    """
    if len(_BLOCK.findall(text)) != 1:
        raise InputError(f"{document}: it must contain {BEGIN} and, after it, {END} once")
    return _BLOCK.sub(lambda _: block, text)


def card_of(checkpoint: Checkpoint, metrics: Metrics, text: str | None = None) -> str:
    """The card of an evaluated classifier: the present one (`text`) with the new metrics, or a new one."""
    block = card_block(plain(metrics))
    if text is not None:
        return with_block(text, block, CARD_FILE)
    config = json.loads((checkpoint.path / "config.json").read_text(encoding="utf-8"))
    processor = json.loads((checkpoint.path / "preprocessor_config.json").read_text(encoding="utf-8"))
    return _CARD.substitute(
        name=checkpoint.name,
        architecture=config["architectures"][0],
        parameters=f"{_parameters(checkpoint.path) / 1e6:.1f}",
        labels=", ".join(f"`{label}`" for label in config["id2label"].values()),
        size=processor["size"].get("height") or processor["size"]["shortest_edge"],
        block=block,
    )


def model_card(
    detector: Annotated[Path, typer.Option(help="Folder of the detector.")] = Path(EMBEDDED_DETECTOR),
    classifier: Annotated[Path, typer.Option(help="Folder of the classifier.")] = Path(EMBEDDED_CLASSIFIER),
    readme: Annotated[Path, typer.Option(help="Document that shows the metrics of both.")] = Path("README.md"),
) -> None:
    """Update the tables between the metrics markers, in both MODEL_CARD.md and in the README, from metrics.json."""
    for folder in (detector, classifier):
        card = (folder / CARD_FILE).read_text(encoding="utf-8")
        (folder / CARD_FILE).write_text(with_block(card, card_block(read_metrics(folder)), folder / CARD_FILE), encoding="utf-8")
    text = readme.read_text(encoding="utf-8")
    readme.write_text(with_block(text, metrics_block([detector, classifier]), readme), encoding="utf-8")


def _block(parts: Iterable[str]) -> str:
    return "\n".join([BEGIN, "", *(f"{part}\n" for part in parts), END])


def _parameters(folder: Path) -> int:
    count = 0
    for file in folder.glob("model*.safetensors"):
        with safe_open(file, framework="numpy") as weights:
            count += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118 - no mapping
    return count


def _count_rows(splits: Metrics) -> Iterator[list[str]]:
    for split, metrics in splits.items():
        yield ["all", split, str(metrics["photos"]), _percent(metrics["accuracy"])]
        for name, accuracy in metrics["accuracy_by_count"].items():
            yield [f"people: {name}", split, str(sum(metrics["confusion_true_by_counted"][name])), _percent(accuracy)]
        for source, accuracy in metrics["accuracy_by_source"].items():
            yield [source, split, "", _percent(accuracy)]


def _answer_rows(splits: Metrics) -> Iterator[list[str]]:
    for split, metrics in splits.items():
        sources = metrics["by"].get(SOURCE, {}).get("groups") or {"all": metrics}
        for source, found in sources.items():
            yield [source, split, str(found["photos"]), *(_percent(each and each["value"]) for each in _figures(found))]


def _details(name: str, split: Metrics) -> Iterator[str]:
    """For one split: calibration, risk and coverage, and a table for each column that photos are grouped by."""
    if "calibration" not in split:
        return
    before, after = split["calibration"]["before"], split["calibration"]["after"]
    yield (
        f"**{name}**: {split['photos']} photos, accuracy {percent_of(split['accuracy'])}. ECE {percent_of(before['ece'])} as trained, "
        f"{percent_of(after['ece'])} with the temperature {after['temperature']:.3f}."
    )
    yield _threshold(split["risk_coverage"])
    for column, compared in split["by"].items():
        if column == SOURCE and len(compared["groups"]) == 1:
            continue
        header = [f"{column} ({name})", "photos", "answered", "balanced accuracy", "recall female", "recall male", "ECE"]
        yield _table(header, _group_rows(compared["groups"]), named=1)
        if "gap" in compared:
            yield f"Lowest balanced accuracy: {compared['worst']}, {percent_of(compared['gap'])} below the highest, {compared['best']}."


def _threshold(chosen: Metrics) -> str:
    wanted, on = _percent(chosen["error_rate"]), chosen["chosen_on"]
    if chosen["risk"] is None:
        return f"No threshold on confidence, chosen on {on}, brings the wrong answers down to {wanted}."
    return (
        f"With a confidence of at least {chosen['threshold']:.3f}, chosen on {on} for {wanted} of wrong answers, "
        f"{percent_of(chosen['coverage'])} of the photos are answered, and {percent_of(chosen['risk'])} of the answers are wrong."
    )


def _group_rows(groups: Metrics) -> Iterator[list[str]]:
    for name, found in groups.items():
        yield [name, str(found["photos"]), *map(percent_of, _figures(found))]


def _figures(found: Metrics) -> list[Any]:
    """The metrics in a row of a table; None for those that could not be measured."""
    recall = found.get("recall", {})
    return [found["answered"], found.get("balanced_accuracy"), *(recall.get(label) for label in LABELS), found.get("ece")]


def percent_of(found: Mapping[str, float] | Estimate | None) -> str:
    """A share and its interval in percent; empty for what could not be measured."""
    if found is None:
        return ""
    value, low, high = found if isinstance(found, Estimate) else (found["value"], found["low"], found["high"])
    return f"{value:.1%} ({100 * low:.1f} to {100 * high:.1f})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _table(header: Sequence[str], rows: Iterator[list[str]], named: int) -> str:
    """Markdown; the first `named` columns are words, the others numbers."""
    lines = [header, [*["---"] * named, *["---:"] * (len(header) - named)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
