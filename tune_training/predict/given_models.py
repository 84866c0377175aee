"""Models as a notebook has them, in memory, become checkpoints, which worker processes can load."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serve_app.checkpoints.decision import DECISION_FILE
from tune_training.io.errors import InputError


@contextmanager
def checkpoint_of(model: Any, processor: Any = None) -> Iterator[str | None]:
    """The URI of a model: the one that was given, or, as long as the block runs, of a folder that the model was saved to.

    Args:
        model: a URI or a path; None; a model of transformers; or a pipeline of transformers, which has its processor.
        processor: of the model; None: the one that came with what the model was loaded from. A URI needs none.

    Raises:
        InputError: it is none of these, or there is no processor.
    """
    if model is None or isinstance(model, str | Path):
        yield None if model is None else str(model)
        return
    processor = processor or getattr(model, "image_processor", None)
    model = getattr(model, "model", model) if hasattr(model, "image_processor") else model
    if not hasattr(model, "save_pretrained"):
        raise InputError(f"{type(model).__name__} is no model: give a URI, a folder, or a model or a pipeline of transformers")
    with tempfile.TemporaryDirectory(prefix="model-") as above:
        folder = str(Path(above, type(model).__name__))  # answers name the model after its folder
        model.save_pretrained(folder)
        (processor or _its_own(model)).save_pretrained(folder)
        decision = Path(model.name_or_path, DECISION_FILE)  # a model in memory does not have it
        if decision.is_file():
            shutil.copy(decision, folder)
        yield folder


def _its_own(model: Any) -> Any:
    from transformers import AutoImageProcessor  # whoever has such a model has imported it

    try:
        return AutoImageProcessor.from_pretrained(model.name_or_path)
    except (OSError, ValueError) as error:
        raise InputError(f"the image processor of {type(model).__name__} is not known: give it, or a pipeline, which has one") from error
