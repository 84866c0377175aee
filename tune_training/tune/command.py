"""The command `tune`: its options, and what it prints."""

from typing import Annotated

import typer

from tune_training.io import storage
from tune_training.tune import search
from tune_training.tune.options import TuneOptions
from tune_training.tune.result import BEST


def tune(
    manifest: Annotated[str, typer.Argument(help="What `prepare` wrote: a file or s3://bucket/key.")],
    options: TuneOptions,
    run_dir: Annotated[str, typer.Option(help="Folder or s3:// prefix of all results; the same command resumes there.")] = "runs/tune",
) -> None:
    """Search hyper-parameters with Ray Tune, and retrain the winner on all photos. Result: RUN_DIR/best.

    Killed at any moment, the same command resumes after the last finished epoch. It runs on the Ray cluster that RAY_ADDRESS names (`ray
    job submit` sets it), or on one of its own. TensorBoard: tensorboard --logdir RUN_DIR/search.
    """
    result = search.tune(manifest, run_dir, options)
    typer.echo(f"{result.summary()}\nThe model: {storage.join(run_dir, BEST)}. Next: python -m tune_training evaluate --help")
