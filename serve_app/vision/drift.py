"""What drift is measured by: in which bins the photos of a service fall, beside the shares of the checkpoint's validation photos.

Whether people, answers and light are still as they were when the model was judged is what the population stability index says: the sum
over the bins of (p - q) log(p / q). Prometheus computes it (k8s/monitoring), from what all replicas count. Of a photo, nothing is kept but
its bins.
"""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from serve_app.checkpoints import METRICS_FILE, Checkpoint
from serve_app.codes import Code

Quantity = Literal["answer", "label", "confidence", "area", "brightness"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
Bins = dict[Quantity, str]

ANSWERED = "answered"
_ANSWERS = {
    Code.OK: ANSWERED,
    Code.UNSURE: ANSWERED,
    Code.NO_PERSON: Code.NO_PERSON.value,
    Code.MULTIPLE_PEOPLE: Code.MULTIPLE_PEOPLE.value,
}
# Inner edges. Those of the confidence are of the reliability diagrams in metrics.json, of 15 bins from 0 to 1.
_EDGES: dict[Quantity, tuple[float, ...]] = {
    "confidence": tuple(round(edge / 15, 4) for edge in range(8, 15)),
    "area": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
}
_LOWEST: dict[Quantity, float] = {"confidence": 0.5, "area": 0.0, "brightness": 0.0}
LEAST_SHARE = 1e-4
"""What an empty bin counts as: the index has a logarithm in it."""


def bins_of_answer(code: Code) -> Bins:
    """The bin of a photo by what became of it; none for what was no photo.

    Args:
        code: for a photo of several people `multiple_people`, also where each of them is answered.
    """
    return {"answer": _ANSWERS[code]} if code in _ANSWERS else {}


def bins_of_person(probabilities: Mapping[str, float], area: float | None, brightness: float | None) -> Bins:
    """The bins of one classified person.

    Args:
        area: of the box, as a share of the photo; None if it is not known.
        brightness: see `cropping.brightness_of`; likewise.
    """
    label = max(probabilities, key=probabilities.__getitem__)
    values: dict[Quantity, float | None] = {"confidence": probabilities[label], "area": area, "brightness": brightness}
    return {"label": label, **{quantity: _bin(quantity, value) for quantity, value in values.items() if value is not None}}


def _bin(quantity: Quantity, value: float) -> str:
    edges = (_LOWEST[quantity], *_EDGES[quantity], 1.0)
    index = min(max(bisect_right(edges, value), 1), len(edges) - 1)
    return f"{edges[index - 1]:.2f} to {edges[index]:.2f}"


class Reference(BaseModel):
    """Under `reference` in metrics.json: the shares of the validation photos, by quantity and bin, of what was measured."""

    model_config = ConfigDict(frozen=True)

    split: str
    photos: int
    shares: dict[Quantity, dict[str, float]]

    @classmethod
    def of(cls, split: str, photos: int, seen: Iterable[Bins]) -> "Reference":
        """The shares of what was seen."""
        counts: dict[Quantity, Counter[str]] = {}
        for bins in seen:
            for quantity, name in bins.items():
                counts.setdefault(quantity, Counter())[name] += 1
        shares = {
            quantity: {name: round(count / counts[quantity].total(), 4) for name, count in sorted(counts[quantity].items())}
            for quantity in QUANTITIES
            if quantity in counts
        }
        return cls(split=split, photos=photos, shares=shares)

    @property
    def each(self) -> Iterator[tuple[Quantity, str, float]]:
        """Quantity, bin and share, also of empty bins where the bins are known."""
        for quantity, shares in self.shares.items():
            for name in dict.fromkeys([*_names(quantity), *shares]):
                yield quantity, name, max(shares.get(name, 0.0), LEAST_SHARE)


def _names(quantity: Quantity) -> list[str]:
    if quantity == "answer":
        return list(dict.fromkeys(_ANSWERS.values()))
    if quantity not in _EDGES:
        return []
    edges = (_LOWEST[quantity], *_EDGES[quantity])
    return [_bin(quantity, edge) for edge in edges]


def read_reference(checkpoint: Checkpoint) -> Reference | None:
    """The reference of a checkpoint; None without one, and where metrics.json is about another revision."""
    path = checkpoint.path / METRICS_FILE
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if metrics["revision"] != checkpoint.revision:
            return None
        return Reference.model_validate(metrics["reference"])
    except (OSError, ValueError, KeyError, TypeError):  # pydantic's errors are ValueErrors
        return None
