"""Checkpoints from the Hugging Face hub, or a mirror of it (HF_ENDPOINT).

huggingface_hub itself reads HF_TOKEN and HF_HUB_OFFLINE.
"""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from huggingface_hub import CacheNotFound, get_cached_repo_tree, scan_cache_dir, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]  # documented there, but not in its __all__

from serve_app.checkpoints._cache import Stored, use
from serve_app.checkpoints._errors import CheckpointError, CheckpointUnreachable
from serve_app.checkpoints._layout import TAKEN, check_names

logger = logging.getLogger(__name__)

_URI = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+?)/?(@(?P<revision>\w[\w.-]*(/\w[\w.-]*)*))?", re.IGNORECASE | re.ASCII)


def fetch(uri: str, cache_dir: Path) -> tuple[Path, str]:
    """Downloads files that are not cached yet; returns the folder and `org/name`. Without network, uses a complete cached copy.

    Raises:
        CheckpointError: no such repository or revision, no access, no network, or the files are not a checkpoint.
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise _malformed(uri)
    repo, revision = parts["repo"], parts["revision"]
    logger.info("fetching %s", uri)
    started = time.monotonic()
    try:
        with disable_progress_bars():  # they would clutter the log
            folder = Path(snapshot_download(repo, revision=revision, cache_dir=cache_dir, allow_patterns=list(TAKEN)))
        names = [file.path for file in get_cached_repo_tree(repo, revision=revision, cache_dir=cache_dir)]
    except HFValidationError as error:
        raise _malformed(uri) from error
    except GatedRepoError as error:
        raise CheckpointError(uri, "the repository is gated", "Accept its terms on its page, then set HF_TOKEN") from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            uri, "the hub has no such repository, or it is private", "Check the name; for a private one set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointError(
            uri, f"the repository has no revision {revision or 'main'}", "Name one of its branches, tags or commits"
        ) from error
    except HfHubHTTPError as error:
        raise CheckpointError(uri, f"the hub refused: {error}", "Check HF_TOKEN and HF_ENDPOINT") from error
    except LocalEntryNotFoundError as error:
        raise _unreachable(uri, error) from error
    except OSError:  # the disk's, not the hub's
        raise
    except Exception as error:  # errors of the library's HTTP client pass through, and it has changed that client before
        raise _unreachable(uri, error) from error
    check_names(uri, names)
    megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    logger.info("fetched %s: %.1f MB, in the cache or downloaded in %.1f s", uri, megabytes, time.monotonic() - started)
    marker = _marker(cache_dir, folder.name)
    with suppress(OSError):  # such as a cache that can only be read
        marker.parent.mkdir(exist_ok=True)
        marker.touch()
    return use(folder, marker), repo


def stored(cache_dir: Path) -> Iterator[Stored]:
    """The commits in the cache."""
    try:
        repos = scan_cache_dir(cache_dir).repos
    except CacheNotFound:
        return
    for repo in repos:
        for revision in repo.revisions:
            yield Stored(revision.snapshot_path, revision.size_on_disk, _marker(cache_dir, revision.commit_hash))


def forget(cache_dir: Path, each: Stored) -> bool:
    """Deletes a commit and the files that no other one shares; False when a process uses it."""
    with each.unused() as unused:
        if unused:
            scan_cache_dir(cache_dir).delete_revisions(each.path.name).execute()
            each.marker.unlink(missing_ok=True)
        return unused


def _marker(cache_dir: Path, commit: str) -> Path:
    return cache_dir / ".locks" / f"used-{commit}"  # a folder of the library's, which it skips when it looks for repositories


def at_commit(repo: str, folder: Path) -> str:
    """The URI of the commit that `fetch` found in this folder."""
    return f"hf://{repo}@{folder.name}"  # the library names a snapshot after its commit


def _malformed(uri: str) -> CheckpointError:
    return CheckpointError(uri, "the URI is malformed", "Write hf://org/name or hf://org/name@revision")


def _unreachable(uri: str, error: Exception) -> CheckpointUnreachable:
    return CheckpointUnreachable(
        uri,
        f"the hub cannot be reached and the cache has no complete copy ({error})",
        "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or name a folder or s3:// instead",
    )
