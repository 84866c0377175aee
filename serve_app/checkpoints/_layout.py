"""The files of a checkpoint, the checks on them, and their revision."""

import hashlib
import json
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open

from serve_app.checkpoints._errors import CheckpointError
from serve_app.checkpoints.decision import DECISION_FILE

CONFIG_FILE = "config.json"
PREPROCESSOR_FILE = "preprocessor_config.json"
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
SHARDS = "model-*-of-*.safetensors"
METRICS_FILE = "metrics.json"
CARD_FILE = "MODEL_CARD.md"
GOLDEN_FILE = "golden.json"
INT8_FILES = ("openvino_int8.xml", "openvino_int8.bin")  # a quantised network for OpenVINO, which holds no code
# No other files are downloaded.
TAKEN = (CONFIG_FILE, PREPROCESSOR_FILE, DECISION_FILE, METRICS_FILE, CARD_FILE, GOLDEN_FILE, WEIGHTS_FILE, INDEX_FILE, SHARDS, *INT8_FILES)
MANIFEST_FILE = "manifest.json"

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


class ManifestFile(BaseModel):
    """Size in bytes and sha256 (hex) of one published file."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """`manifest.json`, published last.

    Attributes:
        files: that make up the checkpoint, by name.
        forced: what spoke against publishing it, if somebody overruled that. Loading ignores it.
        published: folder beside the manifest that has the files (see `published_name`); None: they are beside it.
    """

    model_config = ConfigDict(frozen=True)

    files: dict[str, ManifestFile]
    forced: tuple[str, ...] = ()
    published: str | None = Field(None, pattern="^[0-9a-f]{12}-[0-9a-f]{8}$")  # it must not lead elsewhere


def published_names(uri: str, manifest: Manifest) -> list[str]:
    """The checkpoint's files that a manifest names. While files are being published, the manifest names none.

    Raises:
        CheckpointError: publishing has not finished, or a required file is not among them.
    """
    if not manifest.files:
        raise CheckpointError(uri, "it is being published, or its publishing was interrupted", "Wait for it to finish, or publish it again")
    names = [name for name in manifest.files if is_taken(name)]
    check_names(uri, names)
    return names


def published_name(revision: str, files: Mapping[str, ManifestFile]) -> str:
    """Folder that `publish` puts files into: the revision, which tells answers apart, and 8 digits of a sha256 over all of the files."""
    listing = "".join(f"{name} {files[name].sha256}\n" for name in sorted(files))
    return f"{revision}-{hashlib.sha256(listing.encode()).hexdigest()[:8]}"


def holds_revision(folder: str, revision: str) -> bool:
    """Whether a folder of this name is where `publish` keeps a revision; earlier versions named it after the revision alone."""
    return folder.partition("-")[0] == revision


def parse_manifest(uri: str, content: bytes) -> Manifest:
    """Reads `manifest.json`.

    Raises:
        CheckpointError: it is not valid.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise bad_manifest(uri, ": ".join([*map(str, first["loc"]), first["msg"]])) from error


def bad_manifest(uri: str, reason: str) -> CheckpointError:
    """The error for a manifest that is not valid."""
    return CheckpointError(uri, f"{MANIFEST_FILE} is not valid ({reason})", "Publish the checkpoint again")


def not_as_published(uri: str, name: str) -> CheckpointError:
    """The error for a file that is missing, or differs from the one in the manifest."""
    return CheckpointError(
        uri, f"{name} is not the one that {MANIFEST_FILE} describes", "Wait for the publishing to finish, or publish it again"
    )


def is_taken(name: str) -> bool:
    """Whether a file of this name is part of a checkpoint."""
    return any(fnmatchcase(name, pattern) for pattern in TAKEN)


def check_names(uri: str, names: Collection[str]) -> None:
    """Checks, before anything is downloaded, that the required files are among `names`.

    Raises:
        CheckpointError: a file is missing, or all weights are pickled.
    """
    missing = [name for name in (CONFIG_FILE, PREPROCESSOR_FILE) if name not in names]
    if WEIGHTS_FILE not in names and INDEX_FILE not in names:
        pickled = sorted(name for name in names if name.endswith(_PICKLED) and name not in INT8_FILES)
        if pickled:
            raise CheckpointError(
                uri,
                f"it has only pickled weights ({', '.join(pickled)}), and unpickling can run any code",
                f"Load it where you trust it and save it with `model.save_pretrained(folder)`, which writes {WEIGHTS_FILE}",
            )
        missing.append(WEIGHTS_FILE)
    if missing:
        raise CheckpointError(
            uri, f"it lacks {', '.join(missing)}", "Save both the model and its image processor there with `save_pretrained`"
        )


def check_weights(uri: str, folder: Path) -> None:
    """Checks that each safetensors file has the length that its header declares; reads only the header.

    Raises:
        CheckpointError: a file is missing, truncated or damaged.
    """
    for file in _weight_files(uri, folder):
        try:
            # The library checks the header's length (at most 100 MB) and JSON, and that the tensors fill the file exactly.
            with safe_open(file, framework="numpy"):
                pass
        except SafetensorError as error:
            raise CheckpointError(
                uri,
                f"{file.name} ({file.stat().st_size} bytes) is truncated or damaged: {error}",
                "Copy or publish it again; delete it from the cache first if it came from the hub",
            ) from error


def revision_of(uri: str, folder: Path) -> str:
    """First 12 hex digits of a sha256 over the files that determine the answers: configuration, preprocessing, decision and weights."""
    files = [folder / name for name in (CONFIG_FILE, PREPROCESSOR_FILE, DECISION_FILE, *INT8_FILES)] + _weight_files(uri, folder)
    digest = hashlib.sha256()
    for file in files:
        if file.exists():
            with file.open("rb") as stream:
                digest.update(f"{file.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def _weight_files(uri: str, folder: Path) -> list[Path]:
    """The single file, or the shards that the index names: transformers' own choice."""
    if (folder / WEIGHTS_FILE).exists():
        return [folder / WEIGHTS_FILE]
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        shards = sorted({str(shard) for shard in index["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(uri, f"{INDEX_FILE} is damaged ({error!r})", "Copy or publish it again") from error
    for shard in shards:
        # The index is untrusted: a shard must not lead out of the folder.
        if not fnmatchcase(shard, SHARDS) or not (folder / Path(shard).name).is_file():
            raise CheckpointError(uri, f"{INDEX_FILE} names {shard}, which is not there", "Copy or publish all shards")
    return [folder / Path(shard).name for shard in shards]
