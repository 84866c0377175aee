"""What is read from the files of a checkpoint about it."""

import json
from pathlib import Path

import pytest

from serve_app.checkpoints import resolve
from serve_app.checkpoints.card import Card, read_card, sha256_of, weights_sha256
from serve_app.checkpoints.decision import ClassifierDecision
from tests.support.checkpoint_files import shard, write_checkpoint_files

TEXT = """# A classifier

It guesses, and
must not decide.

It knows two words.

| | |
|---|---|
| architecture | ViT |
| licence of the data | CC BY 4.0 |

## How it was made

| not | a fact |
|---|---|

## Limits

- Hats are rare
  in the data.
- So are drawings.

More about that.

## After that

- no limit
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint_files(tmp_path / "vit")


def read(folder: Path) -> Card:
    return read_card(resolve(str(folder), folder), ClassifierDecision(temperature=2.0))


def test_a_checkpoint_with_nothing_but_weights(folder: Path) -> None:
    card = read(folder)
    assert (card.name, card.architecture, card.labels, card.metrics, card.text) == ("vit", None, (), None, None)
    assert (card.summary, card.facts, card.licence, card.limits) == (None, {}, None, [])
    assert card.weights_sha256 == sha256_of(folder / "model.safetensors")
    assert card.decision["temperature"] == 2.0


def test_labels_are_in_the_order_of_the_outputs(folder: Path) -> None:
    labels = {str(index): f"label{index}" for index in (10, 9, 2)}
    (folder / "config.json").write_text(json.dumps({"architectures": ["Vit"], "id2label": labels}))
    assert (read(folder).architecture, read(folder).labels) == ("Vit", ("label2", "label9", "label10"))


def test_the_text_is_told_apart(folder: Path) -> None:
    (folder / "MODEL_CARD.md").write_text(TEXT)
    card = read(folder)
    assert card.summary == "It guesses, and must not decide. It knows two words."
    assert card.facts == {"architecture": "ViT", "licence of the data": "CC BY 4.0"}
    assert card.licence == "CC BY 4.0"
    assert card.limits == ["Hats are rare in the data.", "So are drawings."]


@pytest.mark.parametrize("shards", [False, True])
def test_metrics_of_other_weights_are_not_its_own(folder: Path, shards: bool) -> None:
    if shards:
        shard(folder)
    (folder / "metrics.json").write_text(json.dumps({"weights_sha256": weights_sha256(folder), "data": "all"}))
    assert read(folder).metrics
    (folder / "metrics.json").write_text(json.dumps({"weights_sha256": "0" * 64, "data": "all"}))
    assert read(folder).metrics is None
