"""One record per request, whoever answers it: an app that refuses without a record would be blind to its own refusals."""

import time
from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.codes import Code
from serve_app.http.faults import CODES_BY_STATUS
from serve_app.records import RequestRecord

Tell = Callable[[RequestRecord], None]


class RecordMiddleware:
    """Puts a `RequestRecord` into `request.state.record`, and tells it when the request has ended.

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
        )

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
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
    if len(record.photos) == 1 and record.status != 500:
        return record.photos[0].code
    return Code.OK if record.status < 400 else CODES_BY_STATUS.get(record.status, Code.BAD_REQUEST)
