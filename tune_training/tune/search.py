"""Searches hyper-parameters with Ray Tune, retrains the winner on all photos, and keeps whichever is better on the validation split.

    RUN_DIR/search.json   what the search is of; another one is refused there
            time_budget.json  the seconds that it may take and has taken
            tracker.json  the tracker that is told of it
            search/       Ray Tune's own files, TensorBoard logs, and each trial's folder (`trial_folder`)
            retrain/      likewise, of the winner on all photos
            trials.csv, trials.png
            best/         the model, in the Hugging Face layout
            result.json   how it was found; written last

The same call resumes wherever the last one was stopped.
"""

import json
import logging
from dataclasses import asdict

from tune_training.io import storage
from tune_training.tune.options import TuneOptions
from tune_training.tune.plan import checked
from tune_training.tune.result import RESULT_FILE, TuneResult, read_result
from tune_training.tune.tracker import check_reachable

logger = logging.getLogger(__name__)


def tune(manifest: str, run_dir: str, options: TuneOptions | None = None) -> TuneResult:
    """Searches, retrains, and writes the best model to `run_dir/best`.

    Args:
        manifest: URI of the manifest, with photos of both labels in `train` and `val`.
        run_dir: folder or s3:// prefix; on a cluster of several nodes one that all of them reach.
        options: see `TuneOptions`.

    Raises:
        InputError: something is wrong with the input (before any work starts), or no trial finished an epoch.
    """
    options, run_dir = options or TuneOptions(), storage.absolute(run_dir)
    plan = checked(manifest, run_dir, options)
    if (finished := read_result(run_dir)) is not None:
        logger.info("this search is finished: %s", finished.summary())
        return finished
    check_reachable(options.tracker)

    from tune_training.train.cross_validation import hint_for  # these take seconds, which `--help` and mistakes save
    from tune_training.tune.experiment import best_model

    if hint := hint_for(len(plan.validation), len(plan.training) + len(plan.validation), "they choose the best trial"):
        logger.info("%s", hint)
    result = best_model(plan, run_dir)
    storage.write_bytes(storage.join(run_dir, RESULT_FILE), json.dumps(asdict(result), indent=2).encode())
    logger.info("%s", result.summary())
    return result
