"""Renders `metrics.json` as Markdown, and keeps the tables of model cards and README equal to it."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tune_training.errors import InputError
from tune_training.evaluate import METRICS_FILE, Metrics

CARD_FILE = "MODEL_CARD.md"
BEGIN = "<!-- metrics:begin -->"
END = "<!-- metrics:end -->"

_BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def metrics_table(metrics: Metrics) -> str:
    """A Markdown table of what `evaluate` measured of a detector or a classifier; shares in percent, to one decimal."""
    if "person_count" in metrics:
        return _table(["people counted rightly", "split", "photos", "accuracy"], _count_rows(metrics["person_count"]))
    header = ["photos of one person each", "split", "photos", "answered", "balanced accuracy", "recall female", "recall male", "ECE"]
    return _table(header, _answer_rows(metrics["answers"]))


def write_block(document: Path, folders: Sequence[Path]) -> None:
    """Replaces what is between the markers in `document` by the tables of the models in `folders`.

    Raises:
        InputError: the document lacks the markers, or a folder was not evaluated yet.
    """
    text = document.read_text(encoding="utf-8")
    if len(_BLOCK.findall(text)) != 1:
        raise InputError(f"{document}: it must contain {BEGIN} and, after it, {END} once")
    block = metrics_block(folders)
    document.write_text(_BLOCK.sub(lambda _: block, text), encoding="utf-8")


def metrics_block(folders: Sequence[Path]) -> str:
    """The markers with the tables of the models in `folders` between them, as `write_block` writes it."""
    tables = [metrics_table(_read_metrics(folder)) for folder in folders]
    return "\n".join([BEGIN, "", *(f"{table}\n" for table in tables), END])


def _read_metrics(folder: Path) -> Metrics:
    path = folder / METRICS_FILE
    if not path.exists():
        raise InputError(f"{path} is missing: python -m tune_training evaluate writes it")
    metrics: Metrics = json.loads(path.read_text(encoding="utf-8"))
    return metrics


def _count_rows(splits: Metrics) -> Iterator[list[str]]:
    for split, metrics in splits.items():
        yield ["all", split, str(metrics["photos"]), _percent(metrics["accuracy"])]
        for name, accuracy in metrics["accuracy_by_count"].items():
            yield [f"people: {name}", split, str(sum(metrics["confusion_true_by_counted"][name])), _percent(accuracy)]
        for source, accuracy in metrics["accuracy_by_source"].items():
            yield [source, split, "", _percent(accuracy)]


def _answer_rows(splits: Metrics) -> Iterator[list[str]]:
    for split, sources in splits.items():
        for source, metrics in sources.items():
            recall = metrics.get("recall", {})
            yield [
                source,
                split,
                str(metrics["photos"]),
                _percent(metrics["answered"]),
                _percent(metrics.get("balanced_accuracy")),
                _percent(recall.get("female")),
                _percent(recall.get("male")),
                _percent(metrics.get("expected_calibration_error")),
            ]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _table(header: Sequence[str], rows: Iterator[list[str]]) -> str:
    lines = [header, ["---", "---", *["---:"] * (len(header) - 2)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
