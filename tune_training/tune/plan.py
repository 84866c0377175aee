"""A checked search: everything that can be wrong with its input is found here, before any work starts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from serve_app.settings import cores
from tune_training.data.manifest import TRAIN, VAL, read_manifest
from tune_training.data.photo import Photo
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.train.sampling import stratified_subset
from tune_training.tune.options import TuneOptions
from tune_training.tune.space import SearchSpace, read_search_space

IDENTITY_FILE = "search.json"
STATE_BYTES = 16  # of a trial's state, per parameter: weights, their average and two moments, in float32
MODEL_BYTES = 2  # in half precision


@dataclass(frozen=True)
class Plan:
    """What is searched.

    Attributes:
        options: see `TuneOptions`.
        space: the search space.
        start: absolute URI of the checkpoint to start from.
        image_size: side of each view, pixels.
        parameters: number of parameters of the model.
        training: the training split; likewise `validation`.
        searched: the photos that trials train on.
    """

    options: TuneOptions
    space: SearchSpace
    start: str
    image_size: int
    parameters: int
    training: Sequence[Photo]
    searched: Sequence[Photo]
    validation: Sequence[Photo]

    def identity(self) -> dict[str, Any]:
        """Everything that decides the result, as JSON has it."""
        photos = repr([(photo.sha256, photo.label, photo.source, photo.box) for photo in (*self.training, *self.validation)])
        options = self.options
        space = {"original": self.space.original, "fixed": self.space.fixed, "ranges": self.space.ranges}
        return {
            "photos": hashlib.sha256(photos.encode()).hexdigest()[:16],
            "search space": TypeAdapter(dict[str, Any]).dump_python(space, mode="json", exclude_none=True),
            "start": self.start,
            "image size": self.image_size,
            "trials": options.trials,
            "method": str(options.method),
            "metric": str(options.metric),
            "subset": options.subset,
            "seed": options.seed,
        }


def checked(manifest: str, run_dir: str, options: TuneOptions) -> Plan:
    """Reads and checks all input, and marks `run_dir` as this search's.

    Raises:
        InputError: something is wrong with it, or `run_dir` belongs to another search.
    """
    if options.trials < 1 or options.subset < 0:
        raise InputError("a search has at least one trial, and a subset at least one photo (0: all)")
    space = read_search_space(options.space)
    table = read_manifest(manifest)

    from tune_training.train.fine_tune import photos_of  # torch takes seconds; what is missing above is told without it
    from tune_training.train.model import check_start

    training, validation = (photos_of(table, split) for split in (TRAIN, VAL))
    start = options.start if "://" in options.start else storage.absolute(options.start)
    image_size, parameters = check_start(start, options.image_size, int(space.largest("frozen_layers")))
    searched = stratified_subset(training, options.subset or len(training), options.seed)
    plan = Plan(options, space, start, image_size, parameters, training, searched, validation)
    storage.check_writable(run_dir)
    _check_identity(plan, run_dir)
    _check_space(plan, run_dir)
    return plan


def _check_identity(plan: Plan, run_dir: str) -> None:
    uri, wanted = storage.join(run_dir, IDENTITY_FILE), plan.identity()
    if not storage.exists(uri):
        storage.write_bytes(uri, json.dumps(wanted, indent=2).encode())
        return
    known = json.loads(storage.read_bytes(uri))
    if changed := [name for name, value in wanted.items() if known.get(name) != value]:
        told = "; ".join(
            f"{name} was {known.get(name)} and is {wanted[name]}" for name in changed if name not in ("photos", "search space")
        )
        raise InputError(
            f"{run_dir} belongs to another search: {' and '.join(changed)} changed{f' ({told})' if told else ''}. "
            "Choose another run directory, or the same settings"
        )


def _check_space(plan: Plan, run_dir: str) -> None:
    from tune_training.train.crops import crops_folder, needed_bytes

    photos = len(plan.training) + len(plan.validation) + (len(plan.searched) if len(plan.searched) < len(plan.training) else 0)
    storage.check_space(str(crops_folder()), needed_bytes(photos, plan.image_size))
    # Each trial keeps its best model, and while it runs its state; a new file is written before the old one goes.
    running = cores() / max(plan.options.cpus_per_trial, 0.1)
    storage.check_space(run_dir, int(2 * (running * STATE_BYTES + plan.options.trials * MODEL_BYTES) * plan.parameters))
