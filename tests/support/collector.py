"""A stub of an OpenTelemetry collector: takes spans by OTLP over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """Keeps what it gets.

    Attributes:
        endpoint: for OTEL_EXPORTER_OTLP_ENDPOINT.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._got = threading.Condition()
        self._requests: list[ExportTraceServiceRequest] = []

    def take(self, body: bytes) -> None:
        """Takes what an exporter posted."""
        with self._got:
            self._requests.append(ExportTraceServiceRequest.FromString(body))
            self._got.notify_all()

    @property
    def services(self) -> set[str]:
        """The services that sent spans."""
        resources = [each.resource for request in self._requests for each in request.resource_spans]
        return {tag.value.string_value for resource in resources for tag in resource.attributes if tag.key == "service.name"}

    @property
    def traces(self) -> set[str]:
        """The traces that spans came of."""
        return {span.trace_id.hex() for span in self._spans()}

    def wait_for(self, trace_id: str, names: set[str], seconds: float = 30) -> dict[str, Span]:
        """Waits until spans of these names have come of one trace; returns all spans of it by name."""

        def found() -> dict[str, Span]:
            return {span.name: span for span in self._spans() if span.trace_id.hex() == trace_id}

        with self._got:
            assert self._got.wait_for(lambda: names <= found().keys(), seconds), found().keys()
            return found()

    def _spans(self) -> list[Span]:
        scopes = [scope for request in self._requests for each in request.resource_spans for scope in each.scope_spans]
        return [span for scope in scopes for span in scope.spans]


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            taking.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taking = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield taking
        server.shutdown()
        thread.join()
