"""`python -m tune_training tune`."""

from pathlib import Path
from typing import Annotated

import typer

from tune_training.io import storage
from tune_training.tune.schedulers import Method
from tune_training.tune.search import BEST, DEFAULT_START, TuneOptions
from tune_training.tune.search import tune as run_search
from tune_training.tune.space import DEFAULT_SPACE
from tune_training.tune.trial import METRICS

SpaceFile = Annotated[Path, typer.Option("--space", help="YAML file with the search space; the default explains itself.")]
Start = Annotated[str, typer.Option(help="ViT checkpoint to start from: a folder, s3://bucket/prefix/ or hf://org/name.")]
ImageSize = Annotated[int, typer.Option(help="Side of the square crops, pixels; 0: the checkpoint's own.", min=0)]
Trials = Annotated[int, typer.Option(help="Points to try; the original's hyper-parameters are always the first.", min=1)]
MethodOption = Annotated[
    Method, typer.Option(help="asha: random points, bad ones stopped early; optuna: proposed ones; pbt: a population.")
]
MetricOption = Annotated[str, typer.Option(help=f"What decides, on val: {', '.join(METRICS)}.")]
Subset = Annotated[int, typer.Option(help="Photos to search with, each source and label by its share; the winner gets all. 0: all.", min=0)]
Minutes = Annotated[float, typer.Option(help="Time budget of the search, of all calls together; 0: none.", min=0)]
Cpus = Annotated[float, typer.Option(help="CPUs of a trial, and threads of torch; several trials run at a time.", min=0.1)]
Gpus = Annotated[float, typer.Option(help="GPUs of a trial; 0.5: two share one. -1: one, where there are any.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


def tune(
    manifest: Annotated[str, typer.Argument(help="What `prepare` wrote: a file or s3://bucket/key.")],
    run_dir: Annotated[str, typer.Option(help="Folder or s3:// prefix of everything that comes of it; the same command goes on there.")] = (
        "runs/tune"
    ),
    space: SpaceFile = DEFAULT_SPACE,
    start: Start = DEFAULT_START,
    image_size: ImageSize = 0,
    trials: Trials = TuneOptions.trials,
    method: MethodOption = Method.ASHA,
    metric: MetricOption = TuneOptions.metric,
    subset: Subset = 0,
    minutes: Minutes = 0,
    cpus_per_trial: Cpus = TuneOptions.cpus_per_trial,
    gpus_per_trial: Gpus = TuneOptions.gpus_per_trial,
    seed: Seed = 0,
) -> None:
    """Search hyper-parameters with Ray Tune, and retrain the winner on all photos. Result: RUN_DIR/best.

    Killed at any moment, the same command goes on after the last finished epoch. It runs on the Ray cluster that RAY_ADDRESS names (`ray
    job submit` sets it), or on one of its own. TensorBoard: tensorboard --logdir RUN_DIR/search.
    """
    options = TuneOptions(
        space=space,
        start=start,
        image_size=image_size,
        trials=trials,
        method=method,
        metric=metric,
        subset=subset,
        seed=seed,
        time_budget_s=minutes * 60,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
    )
    result = run_search(manifest, run_dir, options)
    typer.echo(f"{result.summary()}\nThe model: {storage.join(run_dir, BEST)}. Next: python -m tune_training evaluate --help")
