"""The words for labels and splits that people use for their folders, file names and tables, in any case."""

import re

from serve_app.runtimes.base import LABELS
from tune_training.data.manifest import TEST, TRAIN, VAL

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
KNOWN = (*_LABEL_OF, *_INITIALS)


def label_of(word: str) -> str:
    """The label that a table's word means; the word itself, in lower case, if none is known."""
    word = word.strip().lower()
    return _LABEL_OF.get(word) or _INITIALS.get(word, word)


def is_label(folder: str) -> bool:
    """Whether a folder's name is a word for a label."""
    return folder.lower() in _LABEL_OF


def labels_in(name: str) -> frozenset[str]:
    """The labels among a photo's folders and the words of its file name: men/x.jpg, x_female.png.

    Folders go before other words than the labels themselves: men/girl_band.jpg is of a man, and men/female_1.jpg is unclear.
    """
    *folders, file = name.lower().split("/")
    words = re.split(r"[^a-z]+", file.rpartition(".")[0] or file)
    certain = {_LABEL_OF[folder] for folder in folders if folder in _LABEL_OF} | (set(LABELS) & set(words))
    return frozenset(certain or {_LABEL_OF[word] for word in words if word in _LABEL_OF})


def split_of(word: str) -> str:
    """The split that a folder or a table's word means; the word itself if none is known."""
    return _SPLIT_OF.get(word.strip().lower(), word.strip())
