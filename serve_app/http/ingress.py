"""Deployment: HTTP in, one JSON answer out. It knows nothing of torch and never decodes a photo."""

from typing import Any

from fastapi import FastAPI
from ray.serve.handle import DeploymentHandle

from serve_app.graph.client import GraphClient
from serve_app.graph.sleep import Sleep
from serve_app.http.app import create_app
from serve_app.settings import Settings
from serve_app.telemetry import IngressMetrics, log_with_serve


class Ingress:
    """The HTTP contract in front of the graph.

    Args:
        detector: handle of the PersonDetector.
        classifier: handle of the GenderClassifier.
        settings: limits and deadlines.
    """

    def __init__(self, detector: DeploymentHandle[Any], classifier: DeploymentHandle[Any], settings: Settings) -> None:
        log_with_serve(settings)
        sleep = Sleep(detector.app_name, [detector.deployment_name, classifier.deployment_name])
        self._client = GraphClient(detector, classifier, settings, IngressMetrics(), sleep.any)
        self._settings = settings

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Serve asks for the app on the replica, so that nothing of it is pickled."""
        return create_app(self._client, self._settings, request_id_returned_by_proxy=True)
