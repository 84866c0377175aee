"""Draining: `make serve` tells the ingress replicas to admit nothing more, and waits for the requests in flight.

They share a folder. The file `stopping` in it means: admit nothing more. Each replica with requests in flight holds a shared lock
(flock) on the file `requests`, so whoever gets the exclusive lock knows that there are none; the kernel unlocks for a dead replica.
"""

import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.codes import Code
from serve_app.http.faults import fault_response

STOPPING = "stopping"
REQUESTS = "requests"
POLL_S = 0.05


class DrainMiddleware:
    """Refuses requests as `overloaded` once the service is stopping, and holds the shared lock while others are in flight.

    Those that last long can ask `request.state.is_stopping`, see `is_stopping`.

    Args:
        folder: shared with `drain`; when it is None or cannot be read, every request is admitted: nobody says that the service stops.
        always: addresses that are admitted in any case.
    """

    def __init__(self, app: ASGIApp, folder: Path | None, always: Collection[str] = ()) -> None:
        self._app = app
        self._folder = folder if folder and os.path.isdir(folder) else None  # unlike Path.is_dir it never raises
        self._always = frozenset(always)
        self._requests: BinaryIO | None = None  # open, and locked, while requests are in flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._folder is None or scope["path"].rstrip("/") in self._always:
            await self._app(scope, receive, send)
            return
        folder = self._folder
        scope = {**scope, "state": {**scope["state"], "is_stopping": lambda: self._is_stopping(folder)}}
        with self._counted(folder) as admitted:
            app = self._app if admitted else fault_response(Code.OVERLOADED, scope["state"]["request_id"])
            await app(scope, receive, send)

    @contextmanager
    def _counted(self, folder: Path) -> Iterator[bool]:
        """Counts a request as in flight; yields whether it is admitted."""
        self._in_flight += 1
        try:
            yield not self._is_stopping(folder)
        finally:
            self._in_flight -= 1
            if not self._in_flight and self._requests is not None:
                self._requests.close()
                self._requests = None

    def _is_stopping(self, folder: Path) -> bool:
        try:
            if self._requests is None:
                self._requests = (folder / REQUESTS).open("ab")
                _lock(self._requests, fcntl.LOCK_SH)
            # First the lock, then the file; `drain` does it the other way round, so no request slips through.
            return (folder / STOPPING).exists()
        except OSError:  # somebody cleaned the folder away
            return False


def is_stopping(request: Request) -> bool:
    """Whether the service has begun to stop, so that a long request should come to its end."""
    ask: Callable[[], bool] | None = getattr(request.state, "is_stopping", None)
    return ask is not None and ask()


def drain(folder: Path, seconds: float, give_up: Callable[[], bool] = lambda: False) -> bool:
    """Tells the replicas to admit nothing more and waits for the requests in flight.

    Returns:
        Whether none was left within `seconds` and before `give_up` became true.
    """
    (folder / STOPPING).touch()
    end = time.monotonic() + seconds
    with (folder / REQUESTS).open("ab") as requests:
        while not _lock(requests, fcntl.LOCK_EX):
            if time.monotonic() >= end or give_up():
                return False
            time.sleep(POLL_S)
    return True


def _lock(file: BinaryIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
