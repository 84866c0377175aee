"""Resolves a model's URI to a complete local directory in the Hugging Face layout.

    /models/vit, ./runs/best, file:///models/vit    a folder, used in place
    s3://bucket/prefix/                              the objects directly under the prefix, cached
    hf://org/name@revision                           a repository on the Hugging Face hub; the revision is optional

Every checkpoint passes the same checks, and the same files have the same `revision` whatever their source. Pickled weights are never
loaded. Downloads are cached in `settings.model_cache_dir`; only unfinished ones are ever deleted, because a process may be about to
read the others.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from serve_app.checkpoints import _hub, _local, _s3
from serve_app.checkpoints._cache import Entries
from serve_app.checkpoints._errors import CheckpointError, CheckpointUnreachable
from serve_app.checkpoints._layout import CONFIG_FILE, MANIFEST_FILE, Manifest, ManifestFile, check_weights, is_taken, revision_of
from serve_app.checkpoints._s3_errors import explaining as explaining_s3

__all__ = [
    "CONFIG_FILE",
    "MANIFEST_FILE",
    "Checkpoint",
    "CheckpointError",
    "CheckpointUnreachable",
    "Entries",
    "Manifest",
    "ManifestFile",
    "explaining_s3",
    "is_taken",
    "resolve",
]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_FORMS = "Write a folder, s3://bucket/prefix/ or hf://org/name@revision"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on this machine.

    Attributes:
        uri: the URI that was resolved.
        path: directory with `config.json`, `preprocessor_config.json`, the safetensors and, where published, `decision.json`.
        name: last part of the folder or prefix, or the one before it if that is the revision; `org/name` for the hub.
        revision: 12 hex digits of a sha256 over the files that determine the answers.
    """

    uri: str
    path: Path
    name: str
    revision: str


def resolve(uri: str, cache_dir: Path) -> Checkpoint:
    """Finds the checkpoint, downloading it where needed. Safe to call from many processes: one of them downloads.

    When S3 or the hub cannot be reached, a complete earlier download of the same URI is used.

    Raises:
        CheckpointError: it cannot be loaded; the message names the URI and what to do.
    """
    cache_dir = cache_dir.expanduser()
    try:
        folder, name = _fetch(uri, cache_dir)
        check_weights(uri, folder)
        revision = revision_of(uri, folder)
        return Checkpoint(uri, folder, Path(uri).parent.name if name == revision else name, revision)
    except OSError as error:
        raise CheckpointError(
            uri, f"a file cannot be read or written ({error})", f"Check rights and free space, also of {cache_dir}"
        ) from error


def _fetch(uri: str, cache_dir: Path) -> tuple[Path, str]:
    scheme = _SCHEME.match(uri)
    if not uri.strip() or (scheme and not scheme[2]):
        raise CheckpointError(uri, "the URI is malformed", _FORMS)
    match scheme and scheme[1].lower():
        case None | "file":
            return _local.find(uri)
        case "s3":
            return _s3.fetch(uri, cache_dir / "s3")
        case "hf":
            return _hub.fetch(uri, cache_dir / "hub")
        case unknown:
            raise CheckpointError(uri, f"{unknown}:// is not a scheme that models are loaded from", _FORMS)
