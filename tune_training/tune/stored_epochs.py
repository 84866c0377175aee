"""The epochs of a trial whose checkpoints are stored, whatever Ray Tune knows of them.

Tune learns of an epoch after its checkpoint was stored, and stores what it knows later still: whoever is killed in between leaves
checkpoints that Tune has never heard of. A trial that starts again looks for them in its own folder, tells Tune of them, and goes on from
the newest. So no epoch is trained again whose checkpoint is whole.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.fs as pafs
from ray.tune import Checkpoint

from tune_training.io.storage import find_files, join, write_bytes
from tune_training.train.loop import STATE_FILE
from tune_training.tune.schedulers import TIME

EPOCH_FILE = "epoch.json"  # what the checkpoint is of, and the sizes of its files: where they agree, all of it is there
ENDED_FILE = "ended"  # in the checkpoints of an ended trial, whose states are dropped
DROPPED_FILE = "dropped"  # alone in the place of a checkpoint that is gone
FOLDER = "folder"
_PREFIX = "checkpoint_"  # of the folders that Ray makes

Record = Mapping[str, Any]


@dataclass(frozen=True)
class StoredEpoch:
    """An epoch whose checkpoint is whole.

    Attributes:
        checkpoint: its folder.
        history: what was reported of each epoch up to this one, with its number and the name of its folder.
        ended: whether the trial had ended: then there is no state to go on from, and no need to.
    """

    checkpoint: Checkpoint
    history: Sequence[Record]
    ended: bool

    @property
    def number(self) -> int:
        """Epochs done."""
        return int(self.history[-1][TIME])

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return PurePosixPath(self.checkpoint.path).name


@dataclass(frozen=True)
class Resumed:
    """Where a trial stands when it starts.

    Attributes:
        newest: what to go on from; None: the beginning.
        untold: the epochs that Tune does not know, each with its checkpoint where that is kept still.
    """

    newest: StoredEpoch | None
    untold: Sequence[tuple[Record, Checkpoint | None]]


def write_epoch(folder: Path, config: Mapping[str, Any], history: Sequence[Record]) -> None:
    """Says in a checkpoint's folder, when all else is in it, what it is of."""
    sizes = {file.relative_to(folder).as_posix(): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    sizes.pop(EPOCH_FILE, None)
    (folder / EPOCH_FILE).write_text(json.dumps({"config": _text(config), "files": sizes, "history": list(history)}))


def read_epoch(checkpoint: Checkpoint, config: Mapping[str, Any] | None = None) -> StoredEpoch | None:
    """The epoch of a checkpoint; None if some of it is missing or, where a configuration is given, it is of another one."""
    filesystem: Any = checkpoint.filesystem
    where = pafs.FileSelector(checkpoint.path, recursive=True, allow_not_found=True)
    there = {info.path.removeprefix(checkpoint.path).lstrip("/"): info.size for info in filesystem.get_file_info(where)}
    if EPOCH_FILE not in there:
        return None
    with filesystem.open_input_stream(f"{checkpoint.path}/{EPOCH_FILE}") as file:
        content = file.read()
    try:
        known = json.loads(content)
    except ValueError:  # cut off
        return None
    ended = ENDED_FILE in there
    files = {name: size for name, size in known["files"].items() if not (ended and name == STATE_FILE)}
    whole = all(there.get(name) == size for name, size in files.items())
    if not whole or (config is not None and known["config"] != _text(config)):
        return None
    return StoredEpoch(checkpoint, known["history"], ended)


def resume(filesystem: pafs.FileSystem, trial_folder: str, config: Mapping[str, Any], told: Checkpoint | None) -> Resumed:
    """Where a trial of this configuration stands.

    Args:
        filesystem: of the storage.
        trial_folder: the trial's own, on it.
        config: the trial's; population-based training changes it when the trial goes on from another one's checkpoint.
        told: the checkpoint that Tune starts from; it may be gone, or another trial's.

    Raises:
        FileNotFoundError: it is gone, and no other is stored.
    """
    own = _own_epochs(filesystem, trial_folder, config)
    newest, given = own[-1] if own else None, read_epoch(told) if told else None
    if given and (newest is None or newest.number <= given.number):
        return Resumed(given, [])
    if newest is None:
        if told:
            raise FileNotFoundError(f"the checkpoint {told.path} is gone, or a part of it")
        return Resumed(None, [])
    if given:
        known = given.number
    else:  # Tune has dropped it for a better one and was killed before it could say so
        known = next((each[TIME] for each in newest.history if told and each[FOLDER] == PurePosixPath(told.path).name), 0)
    kept = {each.number: each.checkpoint for each in own}
    return Resumed(newest, [(each, kept.get(each[TIME])) for each in newest.history if each[TIME] > known])


def stand_at(storage: Any, newest: StoredEpoch | None) -> None:
    """Lets the next checkpoint follow this one, and removes the parts that a kill has left behind it.

    Args:
        storage: Ray's `StorageContext` of this worker, here and below.
        newest: what the trial goes on from.
    """
    indices = {_index(PurePosixPath(path).name): path for path in _folders(storage.storage_filesystem, storage.trial_fs_path)}
    if newest and newest.checkpoint.path not in indices.values():  # another trial's: what lies here is of earlier numbers
        storage.current_checkpoint_index = max([storage.current_checkpoint_index, *indices])
        return
    storage.current_checkpoint_index = _index(newest.folder) if newest else -1
    for index, path in indices.items():
        if index > storage.current_checkpoint_index:
            storage.storage_filesystem.delete_dir(path)


def next_folder(storage: Any) -> str:
    """Name of the folder that the next checkpoint gets."""
    return f"{_PREFIX}{storage.current_checkpoint_index + 1:06d}"


@contextmanager
def left_where_it_is(storage: Any, checkpoint: Checkpoint) -> Iterator[None]:
    """Within, a report of this checkpoint, which is stored already, copies nothing: a kill would cut the copy off."""
    storage.current_checkpoint_index = _index(PurePosixPath(checkpoint.path).name) - 1  # reporting counts on
    copy, storage.persist_current_checkpoint = storage.persist_current_checkpoint, lambda known: known
    try:
        yield
    finally:
        storage.persist_current_checkpoint = copy


def stand_in_for_dropped(experiment: str) -> None:
    """Puts an empty checkpoint in the place of each one that Tune has dropped for a later one.

    Killed before its snapshot said so, Tune would name a checkpoint that is gone, and not even start the trial, which knows better.

    Args:
        experiment: URI of Tune's folder.
    """
    present: dict[str, set[int]] = {}
    for file in find_files(experiment):
        trial, _, rest = file.name.partition("/")
        folder, inside, _ = rest.partition("/")
        if inside and folder.startswith(_PREFIX):
            present.setdefault(trial, set()).add(_index(folder))
    for trial, indices in present.items():
        for index in set(range(max(indices))) - indices:
            write_bytes(join(experiment, f"{trial}/{_PREFIX}{index:06d}/{DROPPED_FILE}"), b"")


def mark_ended(checkpoint: Checkpoint) -> None:
    """Drops the state of a checkpoint that nothing goes on from."""
    filesystem: Any = checkpoint.filesystem
    state = f"{checkpoint.path}/{STATE_FILE}"
    if filesystem.get_file_info(state).type is pafs.FileType.NotFound:
        return
    with filesystem.open_output_stream(f"{checkpoint.path}/{ENDED_FILE}"):
        pass
    filesystem.delete_file(state)


def _own_epochs(filesystem: pafs.FileSystem, trial_folder: str, config: Mapping[str, Any]) -> list[StoredEpoch]:
    found = [read_epoch(Checkpoint(path, filesystem), config) for path in _folders(filesystem, trial_folder)]
    return sorted((each for each in found if each), key=lambda each: each.number)


def _folders(filesystem: pafs.FileSystem, trial_folder: str) -> list[str]:
    """Paths of the checkpoints' folders of a trial."""
    there = filesystem.get_file_info(pafs.FileSelector(trial_folder, allow_not_found=True))
    return [info.path for info in there if info.type is pafs.FileType.Directory and info.base_name.startswith(_PREFIX)]


def _index(folder: str) -> int:
    return int(folder.removeprefix(_PREFIX))


def _text(config: Mapping[str, Any]) -> str:
    return json.dumps(dict(config), sort_keys=True, default=float)
