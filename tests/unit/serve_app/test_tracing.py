"""Spans go to a collector when one is named."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from ray._common.utils import import_attr
from ray.serve._private.tracing_utils import _validate_tracing_exporter
from ray.serve.schema import ServeDeploySchema

from serve_app.settings import Settings
from serve_app.tracing import span_processors, with_tracing
from tests.support.collector import collector


def test_nothing_is_traced_without_a_collector() -> None:
    assert with_tracing({"applications": []}, Settings(_env_file=None)) == {"applications": []}


def test_serve_takes_the_config_and_our_exporter() -> None:
    settings = Settings(_env_file=None, otel_exporter_otlp_endpoint="http://localhost:4318", trace_sampling_ratio=0.5)
    tracing = ServeDeploySchema.model_validate(with_tracing({"applications": []}, settings)).tracing_config
    assert tracing is not None
    assert (tracing.enabled, tracing.sampling_ratio) == (True, 0.5)
    exporter = import_attr(tracing.exporter_import_path)
    _validate_tracing_exporter(exporter)
    assert exporter is span_processors


def test_spans_reach_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    with collector() as collecting:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collecting.endpoint)
        [processor] = span_processors()
        provider = TracerProvider()
        provider.add_span_processor(processor)
        with provider.get_tracer("test").start_as_current_span("detect") as span:
            trace_id = f"{span.get_span_context().trace_id:032x}"
        provider.shutdown()
        collecting.wait_for(trace_id, {"detect"})
        assert collecting.services == {"gender-presentation"}
