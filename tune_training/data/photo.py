"""A photo of one person with its label: the one row that all stages of training pass on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serve_app.vision.images import Box
from serve_app.vision.people import DetectedHead, DetectedPerson
from tune_training.io import storage

WHOLE_PHOTO: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Photo:
    """A labelled photo; what is not known yet is empty.

    Attributes:
        root: folder or s3:// prefix that `name` is relative to.
        name: path below `root`, with forward slashes.
        label: one of `serve_app.runtimes.base.LABELS`.
        split: `train`, `val`, `test`, or the name of a further held-out set.
        source: the collection that it comes from.
        box: of its one person; the whole photo where no detector looked for one.
        head: of that person; None if none is seen.
        width: pixels, upright; likewise `height`.
        bytes: size of the file.
        sha256: of the file, hex.
        phash: perceptual hash (see `near_duplicates`), hex.
        columns: what else is known (age, race, ...), for evaluation by group.
    """

    root: str
    name: str
    label: str
    split: str = ""
    source: str = ""
    box: Box = WHOLE_PHOTO
    head: Box | None = None
    width: int = 0
    height: int = 0
    bytes: int = 0
    sha256: str = ""
    phash: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """Where its bytes are."""
        return storage.join(self.root, self.name)

    @property
    def person(self) -> DetectedPerson:
        """Its one person, as the detector of serving would name it."""
        return DetectedPerson(self.box, 1.0, self.head and DetectedHead(self.head, 1.0), heads_known=True)
