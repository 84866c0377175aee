"""Writes model cards, and keeps the tables of cards and README up to date with `metrics.json`."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from typing import Annotated

import typer
from safetensors import safe_open

from serve_app.checkpoints import CARD_FILE, Checkpoint
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR
from tune_training.evaluate.card_tables import folds_details, int8_details, metrics_table, split_details
from tune_training.evaluate.metrics_file import Metrics, plain, read_metrics
from tune_training.io.errors import InputError

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
percentile bootstrap's for balanced accuracy, the gap and ECE (expected calibration error). *Coverage* is the share of photos that get an
answer with the threshold on confidence, and *risk* the share of wrong ones among those answers. In means over framings and sources, each
framing, and each source in it, counts the same, however many photos it has; *framing* is how much of the person the photo shows.

$block

## Limits

- Each label is one of two words that somebody once chose for a photo.
- The model errs more often on people who are rare in the training photos. The tables cover only groups that the photos had labels for.
- Confidence is calibrated on photos like those of the validation split. On others it may be too high.
""")


def metrics_block(folders: Sequence[Path]) -> str:
    """The tables of the models, between the markers."""
    return _block(metrics_table(read_metrics(folder)) for folder in folders)


def card_block(metrics: Metrics) -> str:
    """The metrics on a card, between the markers: the table and, for a classifier, its calibration and its groups."""
    return _block(
        [
            metrics_table(metrics),
            *folds_details(metrics),
            *int8_details(metrics),
            *(part for name, split in metrics.get("splits", {}).items() for part in split_details(name, split)),
        ]
    )


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
