"""Deployment: joins HTTP to the graph. It never decodes a photo, and imports no model."""

import os

from fastapi import FastAPI

from serve_app.graph.bundles import BundledReplicas
from serve_app.graph.client import GraphClient
from serve_app.graph.ray_internals import AppOnReplica, Handle, has_haproxy
from serve_app.graph.replicas import OF_THE_CLASSIFIER, Replicas
from serve_app.graph.scale_to_zero import ScaleToZero
from serve_app.http.app import create_app
from serve_app.settings import Settings
from serve_app.telemetry import IngressMetrics, log_with_serve


class Ingress(AppOnReplica):
    """The HTTP contract in front of the graph.

    Args:
        detector: handle of the PersonDetector, or of the ColocatedModels.
        classifier: handle of the GenderClassifier; None if both are in one process.
        settings: limits and deadlines.
    """

    def __init__(self, detector: Handle, classifier: Handle | None, settings: Settings) -> None:
        log_with_serve(settings)
        handles = [detector] if classifier is None else [detector, classifier]
        scaled_to_zero = ScaleToZero(detector.app_name, [each.deployment_name for each in handles])
        self._metrics = IngressMetrics()
        if classifier is None:
            replicas: tuple[Replicas, Replicas] = BundledReplicas(detector), Replicas(detector, OF_THE_CLASSIFIER)
        else:
            replicas = Replicas(detector), Replicas(classifier)
        self._client = GraphClient(*replicas, settings, self._metrics, scaled_to_zero.any)
        self._settings = settings

    def build_app(self) -> FastAPI:
        """The app, with an id for each request that Serve's proxy returns."""
        return create_app(
            self._client,
            self._settings,
            tell=self._metrics.request,
            request_id_returned_by_proxy=True,
            proxies=self._settings.proxies_in_front + has_haproxy(os.environ),
        )
