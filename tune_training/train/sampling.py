"""Photos of one person each, labelled male or female: where they come from, which of them are drawn, and their labels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serve_app.vision.images import Box
from tune_training.data.manifest import Manifest
from tune_training.data.photo import WHOLE_PHOTO
from tune_training.data.table import read_table


@dataclass(frozen=True)
class LabelledPerson:
    """A photo's file, its label, the collection that it comes from, and the box of its person."""

    path: Path
    label: str
    source: str
    box: Box = WHOLE_PHOTO


@dataclass(frozen=True)
class Example:
    """A photo to learn from.

    Attributes:
        uri: path or s3://bucket/key.
        label: male or female.
        source: the collection that it comes from.
        box: of its person, relative to the upright photo.
        fingerprint: differs when the photo's bytes do.
    """

    uri: str
    label: str
    source: str
    box: Box
    fingerprint: str

    @property
    def close_up(self) -> bool:
        """Whether the person fills the photo, so that nothing of interest lies around the box."""
        x0, y0, x1, y1 = self.box
        return (x1 - x0) * (y1 - y0) > 0.85


def read_index(index: Path, split: str) -> list[LabelledPerson]:
    """Reads a split of a table (see `photo_table`); paths are relative to its folder."""
    return [LabelledPerson(index.parent / row.path, row.label, row.source) for row in read_table(str(index)) if row.split == split]


def examples_of_people(people: Sequence[LabelledPerson]) -> list[Example]:
    """Files of this machine as examples."""
    examples = []
    for person in people:
        stat = person.path.stat()
        fingerprint = f"{person.path.absolute()} {stat.st_size} {stat.st_mtime_ns}"
        examples.append(Example(str(person.path), person.label, person.source, person.box, fingerprint))
    return examples


def examples_of_manifest(manifest: Manifest, split: str) -> list[Example]:
    """A split of a manifest as examples.

    Raises:
        InputError: the manifest has no such split.
    """
    return [Example(row.uri, row.label, row.source, row.box, row.sha256) for row in manifest.split(split)]


def stratified_subset(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` of the examples, in their order: of each source and label its share, at least one; seeded."""
    if count >= len(examples):
        return list(examples)
    rng = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[int]] = {}
    for index in rng.permutation(len(examples)):
        groups.setdefault((examples[index].source, examples[index].label), []).append(int(index))
    # An example's rank within its group, as a share of the group: taking the lowest takes the same share of all groups.
    ranks = [((rank + 0.5) / len(group), rank > 0, index) for group in groups.values() for rank, index in enumerate(group)]
    chosen = sorted(ranks, key=lambda rank: (rank[1], rank[0]))[:count]
    return [examples[index] for index in sorted(index for *_, index in chosen)]


def sampling_weights(examples: Sequence[Example | LabelledPerson], source_power: float) -> NDArray[np.float64]:
    """Probability of each photo to be drawn: labels balanced within each source, sources by (their size ** source_power).

    A power of 1 leaves the sources as they are, 0 makes them equal.
    """
    groups = Counter((each.source, each.label) for each in examples)
    sources = Counter(each.source for each in examples)
    labels_of = {source: sum(1 for s, _ in groups if s == source) for source in sources}
    weights = np.array(
        [sources[each.source] ** source_power / labels_of[each.source] / groups[each.source, each.label] for each in examples],
        dtype=np.float64,
    )
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
