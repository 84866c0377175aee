"""`python -m serve_app.prepare_models`: downloads and exports the models that the settings name, so that the first start finds them.

`make setup` runs it, and so can the making of an image. Without it, the first start does the same and takes that much longer.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from serve_app.checkpoints import CheckpointError, resolve
from serve_app.classifier import Classifier
from serve_app.decision import DecisionError
from serve_app.detector import Detector
from serve_app.runtimes import RunOptions
from serve_app.settings import get_settings


def main() -> int:
    """Prepares both models at the same time; returns the exit status."""
    settings = get_settings()
    models: list[tuple[type[Detector] | type[Classifier], str]] = [
        (Detector, settings.detector_uri),
        (Classifier, settings.effective_classifier_uri),
    ]

    def prepare(model: type[Detector] | type[Classifier], uri: str) -> str:
        checkpoint = resolve(uri, settings.model_cache_dir)
        model.load(checkpoint, RunOptions.of(settings))
        return f"Prepared {checkpoint.name}, revision {checkpoint.revision}"

    with ThreadPoolExecutor(len(models)) as pool:
        results = [pool.submit(prepare, *model) for model in models]
    status = 0
    for result in results:
        try:
            print(result.result())
        except (CheckpointError, DecisionError) as error:
            print(error, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
