"""What a checkpoint's own files say about it: configuration, metrics and model card, for whoever asks what answers here."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from serve_app.checkpoints import CARD_FILE, CONFIG_FILE, METRICS_FILE, Checkpoint
from serve_app.checkpoints.decision import Decision

_TABLE_ROW = "| "
_HEADING = "## "
LIMITS = "Limits"
"""Heading of the card's section about what the model cannot do."""


@dataclass(frozen=True)
class Card:
    """What is known of a model in use.

    Attributes:
        architecture: its class in transformers.
        labels: in the order of its outputs.
        weights_sha256: of its one file of weights; of several, of their digests in order.
        decision: thresholds, views and so on as they apply now, overrides included.
        metrics: what `metrics.json` says; None without the file, or when it is about other weights.
        text: `MODEL_CARD.md`; None without the file.
    """

    name: str
    revision: str
    architecture: str | None
    labels: tuple[str, ...]
    weights_sha256: str
    decision: dict[str, Any]
    metrics: dict[str, Any] | None
    text: str | None

    @property
    def summary(self) -> str | None:
        """What the model is for and not for: the card's text between its title and whatever follows."""
        paragraphs = [" ".join(paragraph.split()) for paragraph in (self.text or "").split("\n\n")]
        leading = []
        for paragraph in paragraphs:
            if paragraph.startswith(("|", _HEADING)):
                break
            if not paragraph.startswith("# "):
                leading.append(paragraph)
        return " ".join(leading).strip() or None

    @property
    def facts(self) -> dict[str, str]:
        """The card's first table, of two columns: architecture, what it started from and was trained on, licence."""
        facts = {}
        for line in (self.text or "").partition(f"\n{_HEADING}")[0].splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if line.startswith(_TABLE_ROW) and len(cells) == 2 and cells[0].strip("-"):
                facts[cells[0]] = cells[1]
        return facts

    @property
    def licence(self) -> str | None:
        """The fact about a licence, in whichever spelling."""
        return next((value for name, value in self.facts.items() if "licence" in name.lower() or "license" in name.lower()), None)

    @property
    def limits(self) -> list[str]:
        """The items of the card's section `LIMITS`."""
        section = (self.text or "").partition(f"\n{_HEADING}{LIMITS}\n")[2].partition(f"\n{_HEADING}")[0]
        return list(_items(section))


def read_card(checkpoint: Checkpoint, decision: Decision) -> Card:
    """Reads the card of a model in use. The files are small, but all weights are read once, for their digest.

    Args:
        decision: of the model, with its overrides.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not JSON.
    """
    folder = checkpoint.path
    config = _json(folder / CONFIG_FILE) or {}
    metrics, text = _json(folder / METRICS_FILE), folder / CARD_FILE
    digest = _digest_of(folder, checkpoint.revision)
    return Card(
        checkpoint.name,
        checkpoint.revision,
        next(iter(config.get("architectures") or ()), None),
        tuple(label for _, label in sorted((int(index), label) for index, label in config.get("id2label", {}).items())),
        digest,
        decision.model_dump(mode="json"),
        metrics if metrics and metrics.get("weights_sha256") == digest else None,
        text.read_text(encoding="utf-8") if text.is_file() else None,
    )


def weights_sha256(folder: Path) -> str:
    """Digest of a checkpoint's weights: of the one file, or of the digests of its shards in order."""
    digests = [sha256_of(file) for file in sorted(folder.glob("model*.safetensors"))]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=2)  # the model in use, and the one before
def _digest_of(folder: Path, revision: str) -> str:
    return weights_sha256(folder)  # another revision in the same folder has other weights


def _json(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def _items(section: str) -> Iterator[str]:
    """The items of a Markdown list, each on one line."""
    for item in f"\n{section}".split("\n- ")[1:]:
        yield " ".join(item.partition("\n\n")[0].split())
