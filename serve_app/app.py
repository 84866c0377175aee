"""Builds the graph; `serve_config.yaml` names `build` and gives its arguments.

No `from __future__ import annotations` here: Serve checks the arguments only when the annotation is a class, not a string.
"""

import logging

from pydantic import BaseModel, ConfigDict, Field
from ray.serve import Application

from serve_app.gender_classifier import GenderClassifier
from serve_app.ingress import Ingress
from serve_app.person_detector import PersonDetector
from serve_app.settings import get_settings


class ModelArgs(BaseModel):
    """How one model runs in its replicas.

    Attributes:
        max_batch_size: most photos that go through the model together.
        torch_threads: threads of the model in each replica.
    """

    model_config = ConfigDict(extra="forbid")

    max_batch_size: int = Field(8, ge=1, le=256)
    torch_threads: int = Field(1, ge=1, le=256)


class DetectorArgs(ModelArgs):
    """The detector also decodes, in `decode_threads` threads."""

    decode_threads: int = Field(2, ge=1, le=64)


class AppArgs(BaseModel):
    """Arguments of the application, under `args:` in serve_config.yaml."""

    model_config = ConfigDict(extra="forbid")

    detector: DetectorArgs = DetectorArgs()
    classifier: ModelArgs = ModelArgs()


def build(args: AppArgs) -> Application:
    """The graph: Ingress -> PersonDetector, GenderClassifier."""
    settings = get_settings()
    if settings.debug:
        logging.getLogger("ray.serve").setLevel(logging.DEBUG)
    detector = PersonDetector.bind(settings, **args.detector.model_dump())
    classifier = GenderClassifier.bind(settings, **args.classifier.model_dump())
    return Ingress.bind(detector, classifier, settings)
