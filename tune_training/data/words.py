"""The words for labels and splits that people use for their folders, file names and tables, in any case."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from serve_app.runtimes.base import LABELS
from tune_training.data.manifest import TEST, TRAIN, VAL
from tune_training.io.errors import InputError

_LABEL_OF = {
    word: label
    for label, words in (
        ("female", ("female", "females", "woman", "women", "girl", "girls", "lady", "ladies")),
        ("male", ("male", "males", "man", "men", "boy", "boys", "gentleman", "gentlemen")),
    )
    for word in words
}
_SPLIT_OF = {
    word: split
    for split, words in (
        (TRAIN, ("train", "training")),
        (VAL, ("val", "valid", "validation", "dev", "eval", "evaluation")),
        (TEST, ("test", "testing")),
    )
    for word in words
}
_INITIALS = {"f": "female", "w": "female", "m": "male"}  # in a column of labels they are clear; in a name they may be anything
HOW = '--labels "female=WORD,WORD male=WORD,WORD"'  # adds words


@dataclass(frozen=True)
class LabelWords:
    """The words for labels.

    Attributes:
        more: labels by words in lower case, besides those that are known anyway, and before them.
    """

    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> tuple[str, ...]:
        """All words that a table may use."""
        return tuple({**_LABEL_OF, **_INITIALS, **self.more})

    def label_of(self, word: str) -> str:
        """The label that a table's word means; the word itself, in lower case, if none is known."""
        word = word.strip().lower()
        return self._label(word) or _INITIALS.get(word, word)

    def is_label(self, folder: str) -> bool:
        """Whether a folder's name is a word for a label."""
        return bool(self._label(folder.lower()))

    def labels_in(self, name: str) -> frozenset[str]:
        """The labels among a photo's folders and the words of its file name: men/x.jpg, x_female.png.

        Folders go before other words than the labels themselves: men/girl_band.jpg is of a man, and men/female_1.jpg is unclear.
        """
        *folders, file = name.lower().split("/")
        words = re.split(r"[\W\d_]+", file.rpartition(".")[0] or file)
        certain = {label for folder in folders if (label := self._label(folder))} | (set(LABELS) & set(words))
        return frozenset(certain or {label for word in words if (label := self._label(word))})

    def _label(self, word: str) -> str | None:
        return self.more.get(word) or _LABEL_OF.get(word)


def label_words(text: str) -> LabelWords:
    """The words that a text like `female=women,f,girl male=men,m,boy` adds; either label may be missing.

    Raises:
        InputError: the text is of another form, or a word is for both labels.
    """
    start, *parts = re.split(r"(?:^|\s)(\w+)=", text.strip())
    more: dict[str, str] = {}
    for label, words in zip(parts[::2], parts[1::2], strict=True):
        for word in words.lower().split(","):
            if start or label not in LABELS or not word.strip():
                raise InputError(f"{text!r}: these words for labels are malformed. Write {HOW}")
            if more.setdefault(word.strip(), label) != label:
                raise InputError(f"{text!r}: {word.strip()!r} is a word for both labels")
    return LabelWords(more)


def is_label_words(text: str) -> bool:
    """Whether a text is meant for `label_words` rather than as the name of a table."""
    return "=" in text and not text.lower().endswith((".csv", ".parquet"))


def split_of(word: str) -> str:
    """The split that a folder or a table's word means; the word itself if none is known."""
    return _SPLIT_OF.get(word.strip().lower(), word.strip())
