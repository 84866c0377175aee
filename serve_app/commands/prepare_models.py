"""Downloads, exports and checks the models that the settings name, so that the first start finds them.

`make setup` runs it, and so can an image build. Without it, the first start does the same and takes longer.
"""

import sys

from serve_app.checkpoints import CheckpointError, forget_unused, resolve
from serve_app.checkpoints.decision import DecisionError
from serve_app.runtimes.base import RunOptions
from serve_app.settings import get_settings
from serve_app.vision.classifier import Classifier
from serve_app.vision.detector import Detector
from serve_app.vision.golden import check_golden


def main() -> int:
    """Prepares both models in turn, because transformers cannot load two at a time. Returns the exit status."""
    settings = get_settings()
    models: list[tuple[type[Detector] | type[Classifier], str]] = [
        (Detector, settings.detector_uri),
        (Classifier, settings.effective_classifier_uri),
    ]
    status = 0
    for model, uri in models:
        try:
            checkpoint = resolve(uri, settings.model_cache_dir)
            check_golden(model.load(checkpoint, RunOptions.of(settings)))
            print(f"Prepared {checkpoint.name}, revision {checkpoint.revision}")
        except (CheckpointError, DecisionError) as error:
            print(error, file=sys.stderr)
            status = 1
    forget_unused(settings.model_cache_dir, settings.model_cache_bytes)
    return status


if __name__ == "__main__":
    sys.exit(main())
