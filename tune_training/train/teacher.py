"""What a stronger model sees in the photos, learned beside the labels: knowledge distillation.

A label is one bit, and a few in a hundred are wrong. A teacher gives a probability (Hinton et al. 2015) and a description of what it sees
(its features; Romero et al. 2015, FitNets), which a small model learns from few photos what to look at. The teacher is any model that reads
the training photos, run beforehand: only what it said is needed, as a table.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from pyarrow.lib import ArrowException
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from tune_training.data.photo import Photo
from tune_training.io.errors import InputError
from tune_training.train.layers import heads

COLUMNS = ("sha256", "female", "features")


@dataclass(frozen=True)
class Teacher:
    """What the teacher says of n photos; both are zero where it says nothing.

    Attributes:
        known: (n,) bool.
        probabilities: (n, 2) float32, columns in the order of `LABELS`.
        features: (n, k) float32, each of length 1.
        sha256: of the table.
    """

    known: Tensor
    probabilities: Tensor
    features: Tensor
    sha256: str


def read_teacher(path: Path, photos: Sequence[Photo]) -> Teacher:
    """Reads a Parquet table with one row a photo: `sha256`, `female` (probability), `features` (k numbers, k the same in all rows).

    Photos that are not in the table are learned from their labels alone.

    Raises:
        InputError: the table cannot be read, has other columns or numbers, or none of the photos is in it.
    """
    try:
        table = pq.read_table(path, columns=list(COLUMNS))
        female = table["female"].to_numpy().astype(np.float32)
        features = np.stack(table["features"].to_numpy()).astype(np.float32)
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: not a table with the columns {', '.join(COLUMNS)}: {error}") from error
    lengths = np.linalg.norm(features, axis=1, keepdims=True) if features.ndim == 2 else np.zeros(1)
    if not (np.isfinite(lengths).all() and lengths.all() and ((female >= 0) & (female <= 1)).all()):
        raise InputError(f"{path}: `female` has to be from 0 to 1, and `features` lists of numbers, all equally long and not all zero")
    row_of = {name: row for row, name in enumerate(table["sha256"].to_pylist())}
    rows = np.array([row_of.get(photo.sha256, -1) for photo in photos])
    known = rows >= 0
    if not known.any():
        raise InputError(f"{path}: none of the {len(photos)} photos is in this table")
    probabilities = np.where(known[:, None], np.stack([female, 1 - female], axis=1)[rows], 0)
    return Teacher(
        torch.from_numpy(known),
        torch.from_numpy(probabilities.astype(np.float32)),
        torch.from_numpy(np.where(known[:, None], (features / lengths)[rows], 0).astype(np.float32)),
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


class Student(nn.Module):
    """A classifier, and a layer that tells the teacher's features from what the classifier's head is shown.

    Attributes:
        classifier: what is trained for; it answers alone.
        projection: to k features.
    """

    def __init__(self, classifier: PreTrainedModel, features: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.projection = nn.Linear(heads(classifier)[0].in_features, features)

    def forward(self, pixel_values: Tensor, **options: bool) -> tuple[Tensor, Tensor]:
        """Normalised crops (n, 3, height, width) to logits (n, 2) and features (n, k)."""
        shown: list[Tensor] = []
        hook = heads(self.classifier)[0].register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
        try:
            logits: Tensor = self.classifier(pixel_values=pixel_values, **options).logits
        finally:
            hook.remove()
        return logits, self.projection(shown[0])


def feature_loss(found: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """Mean of 1 - cosine over the photos (n,) that the teacher knows; 0 for none."""
    distance = 1 - functional.cosine_similarity(found, wanted, dim=1)
    return (distance * known).sum() / known.sum().clamp(min=1)
