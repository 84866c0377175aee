"""Builds the Serve application of ingress, detector and classifier; `serve_config.yaml` names `build` and has its arguments.

No `from __future__ import annotations` here: Serve checks the arguments only when the annotation is a class, not a string.
"""

from typing import cast
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.serve import Application, Deployment

from serve_app.graph.colocated import ColocatedModels
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.graph.person_detector import PersonDetector
from serve_app.http.ingress import Ingress
from serve_app.settings import get_settings


class ModelArgs(BaseModel):
    """How one model runs in its replicas.

    Attributes:
        max_batch_size: the most photos in a batch.
        threads: threads of one inference, in each replica.
    """

    model_config = ConfigDict(extra="forbid")

    max_batch_size: int = Field(8, ge=1, le=256)
    threads: int = Field(1, ge=1, le=256)


class DetectorArgs(ModelArgs):
    """The detector also decodes, in `decode_threads` threads and one for large photos."""

    decode_threads: int = Field(2, ge=1, le=64)


class AppArgs(BaseModel):
    """Arguments of the application, under `args:` in serve_config.yaml.

    Attributes:
        colocate: both models are one deployment, `ColocatedModels`, so that no crop is sent between processes.
    """

    model_config = ConfigDict(extra="forbid")

    detector: DetectorArgs = DetectorArgs()
    classifier: ModelArgs = ModelArgs()
    colocate: bool = False


def build(args: AppArgs) -> Application:
    """The graph: Ingress -> PersonDetector, GenderClassifier; or Ingress -> ColocatedModels."""
    settings = get_settings()
    deploy = uuid4().hex  # Serve builds the graph once per deploy of other arguments
    if args.colocate:
        models = deployment(ColocatedModels).bind(settings, args.detector.model_dump(), args.classifier.model_dump(), deploy=deploy)
        return http_deployment(Ingress).bind(models, None, settings)
    detector = deployment(PersonDetector).bind(settings, **args.detector.model_dump(), deploy=deploy)
    classifier = deployment(GenderClassifier).bind(settings, **args.classifier.model_dump(), deploy=deploy)
    return http_deployment(Ingress).bind(detector, classifier, settings)


def deployment(model_class: type) -> Deployment:
    """A deployment of a model: with a user_config, Serve calls its `reconfigure` before the first request."""
    return serve.deployment(user_config={})(model_class)


def http_deployment(ingress_class: type) -> Deployment:
    """A deployment of an `AppOnReplica`."""
    return cast(Deployment, serve.deployment(serve.ingress()(ingress_class)))
