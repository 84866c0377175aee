"""OpenTelemetry: Ray Serve makes a span for each request and each call of a model; this says whether, and where they go.

Serve takes up the trace of a client (W3C traceparent), and with it whether it is recorded.
"""

import os
from typing import TYPE_CHECKING, Any

from serve_app.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

SERVICE = "gender-presentation"


def with_tracing(config: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The Serve config, with Serve's TracingConfig when there is somewhere to send traces."""
    if not settings.otel_exporter_otlp_endpoint:
        return config
    exporter = f"{__name__}:{span_processors.__name__}"
    return config | {"tracing_config": {"enabled": True, "exporter_import_path": exporter, "sampling_ratio": settings.trace_sampling_ratio}}


def span_processors() -> "list[SpanProcessor]":
    """What Serve gives its spans to, in each of its processes. The exporter reads the variables OTEL_* itself."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_SERVICE_NAME", SERVICE)
    return [BatchSpanProcessor(OTLPSpanExporter())]
