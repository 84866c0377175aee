"""One record per request, whoever answers it: an app that refuses without a record would be blind to its own refusals."""

import re
import time
from collections.abc import Callable, Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.codes import Code
from serve_app.http.faults import CODES_BY_STATUS
from serve_app.records import RequestRecord

Tell = Callable[[RequestRecord], None]

SERVER_TIMING = "server-timing"
TRACEPARENT = "traceparent"
TOTAL = "total"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


class RecordMiddleware:
    """Puts a `RequestRecord` into `request.state.record`, and tells it when the request has ended.

    An answer about photos says in its header Server-Timing how long it took.

    Only the request id and the handler of unforeseen errors are further out: there are no refusals there.

    Args:
        tell: takes each record.
        calls: the API's addresses.
        photo_calls: those that take photos.
    """

    def __init__(self, app: ASGIApp, tell: Tell, calls: Collection[str], photo_calls: Collection[str]) -> None:
        self._app = app
        self._tell = tell
        self._calls = frozenset(calls)
        self._photo_calls = frozenset(photo_calls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        call = scope["path"].rstrip("/") or "/"
        record = RequestRecord(
            scope["state"]["request_id"],
            call if call in self._calls else None,
            about_photos=call in self._photo_calls and scope["method"] == "POST",
            trace_id=_trace_id(Headers(scope=scope).get(TRACEPARENT)),
        )

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                if record.about_photos:
                    timing = server_timing(record, time.perf_counter() - started)
                    message["headers"] = [*message["headers"], (SERVER_TIMING.encode(), timing.encode())]
            await send(message)

        try:
            await self._app({**scope, "state": {**scope["state"], "record": record}}, receive, watch)
        except Exception:
            record.status = record.status or 500
            raise
        finally:
            record.code = _code(record)
            record.seconds = time.perf_counter() - started
            self._tell(record)


def _code(record: RequestRecord) -> Code | None:
    if record.status is None:
        return None
    if record.broken is not None:
        return record.broken
    if len(record.photos) == 1 and record.status != 500:
        return record.photos[0].code
    return Code.OK if record.status < 400 else CODES_BY_STATUS.get(record.status, Code.BAD_REQUEST)


def server_timing(record: RequestRecord, seconds: float) -> str:
    """Value of the header Server-Timing (W3C): milliseconds of each stage, of a batch added up, and of the request until its answer."""
    durations = {stage: duration for stage, duration in record.stages.items() if stage != TOTAL} | {TOTAL: seconds}
    return ", ".join(f"{name};dur={duration * 1000:.1f}" for name, duration in durations.items())


def _trace_id(traceparent: str | None) -> str | None:
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return found[1] if found else None
