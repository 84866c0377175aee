"""Resolves a model's URI to a complete local directory in the Hugging Face layout.

    /models/vit, ./runs/best, file:///models/vit    a folder, used in place
    s3://bucket/prefix/                              the objects directly under the prefix, cached
    hf://org/name@revision                           a repository on the Hugging Face hub; the revision is optional

Every checkpoint passes the same checks, and the same files have the same `revision` whatever their source. Pickled weights are never
loaded. Downloads and exports are cached in `settings.model_cache_dir`; `forget_unused` keeps it below a size.

boto3 and huggingface_hub are imported when a URI needs them: together they take a third of a second and 17 MB in each process.
"""

import logging
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from serve_app.checkpoints import _cache, _local
from serve_app.checkpoints._cache import Entries, LockedError
from serve_app.checkpoints._errors import CheckpointError, CheckpointUnreachable
from serve_app.checkpoints._layout import (
    CARD_FILE,
    CONFIG_FILE,
    GOLDEN_FILE,
    INT8_FILES,
    MANIFEST_FILE,
    METRICS_FILE,
    Manifest,
    ManifestFile,
    check_weights,
    holds_revision,
    is_taken,
    published_name,
    revision_of,
)

__all__ = [
    "CARD_FILE",
    "CONFIG_FILE",
    "EXPORTS",
    "GOLDEN_FILE",
    "INT8_FILES",
    "MANIFEST_FILE",
    "METRICS_FILE",
    "Checkpoint",
    "CheckpointError",
    "CheckpointUnreachable",
    "Entries",
    "LockedError",
    "Manifest",
    "ManifestFile",
    "Pin",
    "explaining_s3",
    "forget_unused",
    "is_taken",
    "pin_of",
    "published_name",
    "resolve",
]

logger = logging.getLogger(__name__)

EXPORTS = "openvino"  # folder of the cache
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_FORMS = "Write a folder, s3://bucket/prefix/ or hf://org/name@revision"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on this machine.

    Attributes:
        uri: the URI that was resolved.
        path: directory with `config.json`, `preprocessor_config.json`, the safetensors and, where published, `decision.json`.
        name: last part of the folder or prefix, or the one before it if `publish` keeps the revision there; `org/name` for the hub.
        revision: 12 hex digits of a sha256 over the files that determine the answers.
    """

    uri: str
    path: Path
    name: str
    revision: str


@dataclass(frozen=True)
class Pin:
    """One state of a checkpoint whose URI may mean another one tomorrow: `resolve(pin.uri, cache_dir, pin.revision)`."""

    uri: str
    revision: str


def pin_of(checkpoint: Checkpoint) -> Pin | None:
    """Names the state that was resolved; None for a folder that was not published: no earlier state of it can be had."""
    match _scheme(checkpoint.uri):
        case "s3":
            return Pin(checkpoint.uri, checkpoint.revision)
        case "hf":
            from serve_app.checkpoints import _hub

            return Pin(_hub.at_commit(checkpoint.name, checkpoint.path), checkpoint.revision)
        case _:
            return Pin(checkpoint.uri, checkpoint.revision) if (checkpoint.path / MANIFEST_FILE).exists() else None


def resolve(uri: str, cache_dir: Path, revision: str | None = None) -> Checkpoint:
    """Finds the checkpoint, downloading it where needed. Safe to call from many processes: one of them downloads.

    When S3 or the hub cannot be reached, a complete earlier download of the same URI is used.

    Args:
        revision: of the state that is wanted, if not the latest. It can be had as long as it is there, below it where `publish` keeps
            it, or, from S3 and the hub, in the cache.

    Raises:
        CheckpointError: it cannot be loaded; the message names the URI and what to do.
    """
    cache_dir = cache_dir.expanduser()
    try:
        folder, name = _fetch(uri, cache_dir, revision)
        check_weights(uri, folder)
        found = revision_of(uri, folder)
        if revision not in (None, found):
            raise CheckpointError(
                uri,
                f"revision {revision}, which this deploy runs, is no longer there; it is {found} now",
                "Name a place that stays, such as the folder that `publish` prints, and deploy again",
            )
        return Checkpoint(uri, folder, Path(uri).parent.name if holds_revision(name, found) else name, found)
    except LockedError as error:
        raise CheckpointError(uri, str(error), "See what that process waits for, and end it; then try again") from error
    except OSError as error:
        raise CheckpointError(
            uri, f"a file cannot be read or written ({error})", f"Check rights and free space, also of {cache_dir}"
        ) from error


def forget_unused(cache_dir: Path, max_bytes: int) -> None:
    """Deletes downloads and exports, those first that were not used for longest, until the rest has at most `max_bytes`.

    None is deleted that a process uses: what `resolve` or `Entries` gave it counts as used as long as it lives.
    """
    cache_dir = cache_dir.expanduser()
    hub = cache_dir / "hub"
    try:
        found = [*_cache.stored(cache_dir / "s3"), *_cache.stored(cache_dir / EXPORTS), *_stored_of_hub(hub)]
        total = sum(each.size for each in found)
        for each in _cache.oldest_first(found):
            if total <= max_bytes:
                return
            if _forget_of_hub(hub, each) if each.path.is_relative_to(hub) else _cache.forget(each):
                logger.info("forgot %s, which was not used for longest: %.1f MB", each.path, each.size / 1e6)
                total -= each.size
    except OSError as error:  # another process may forget the same; and a full cache still works
        logger.warning("the cache of models was not cleared up: %s", error)
        return
    if total > max_bytes:
        logger.warning("the models in use have %.1f MB, more than MODEL_CACHE_BYTES", total / 1e6)


def _stored_of_hub(cache_dir: Path) -> list[_cache.Stored]:
    if not cache_dir.exists():
        return []
    from serve_app.checkpoints import _hub

    return list(_hub.stored(cache_dir))


def _forget_of_hub(cache_dir: Path, each: _cache.Stored) -> bool:
    from serve_app.checkpoints import _hub

    return _hub.forget(cache_dir, each)


def explaining_s3(uri: str) -> AbstractContextManager[None]:
    """Turns errors of boto3 into a `CheckpointError` for this URI."""
    from serve_app.checkpoints._s3_errors import explaining

    return explaining(uri)


def _fetch(uri: str, cache_dir: Path, revision: str | None) -> tuple[Path, str]:
    match _scheme(uri):
        case None | "file":
            return _local.find(uri, revision)
        case "s3":
            from serve_app.checkpoints import _s3

            return _s3.fetch(uri, cache_dir / "s3", revision)
        case "hf":
            from serve_app.checkpoints import _hub

            return _hub.fetch(uri, cache_dir / "hub")
        case unknown:
            raise CheckpointError(uri, f"{unknown}:// is not a scheme that models are loaded from", _FORMS)


def _scheme(uri: str) -> str | None:
    scheme = _SCHEME.match(uri)
    if not uri.strip() or (scheme and not scheme[2]):
        raise CheckpointError(uri, "the URI is malformed", _FORMS)
    return scheme[1].lower() if scheme else None
