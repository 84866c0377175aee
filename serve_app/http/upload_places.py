"""Places for bodies that are arriving: a limited number, and none for those that arrive too slowly."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from serve_app.codes import Code
from serve_app.http.faults import Refused
from serve_app.settings import Settings

GRACE_S = 5.0  # so far a body may be behind the minimum rate: connections stall
PATIENCE_S = 1.0  # and so far while others want its place


@dataclass(eq=False)
class _Body:
    """A body in its place.

    Attributes:
        due: when its bytes so far would have been here at the minimum rate.
        timeout: ends it.
    """

    due: float
    timeout: asyncio.Timeout


class UploadPlaces:
    """Each place costs a request that Serve counts as ongoing, so clients that send a byte per second could hold them all.

    A body that falls `GRACE_S` behind the minimum rate is ended. While all places are taken, one that is `PATIENCE_S` behind has to
    leave its place to a newcomer.

    Args:
        settings: the number of places, the minimum rate, and the deadline of a body.
    """

    def __init__(self, settings: Settings) -> None:
        self._places = settings.max_uploads
        self._bytes_per_s = settings.min_upload_bytes_per_s
        self._deadline_s = settings.upload_deadline_s
        self._bodies: set[_Body] = set()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Callable[[int], None]]:
        """A place until the block is left; the yielded function takes the size of each chunk that arrives.

        Raises:
            Refused: `overloaded`: there is no place. `timeout`: the body is too slow.
        """
        began = asyncio.get_running_loop().time()
        end = began + self._deadline_s
        if len(self._bodies) >= self._places:
            self._make_room(began)
        timeout = asyncio.timeout_at(min(end, began + GRACE_S))
        body = _Body(began, timeout)

        def received(size: int) -> None:
            body.due += size / self._bytes_per_s
            timeout.reschedule(min(end, body.due + GRACE_S))

        try:
            async with timeout:
                self._bodies.add(body)
                yield received
        except TimeoutError:
            if timeout.when() == end:
                raise Refused(Code.TIMEOUT, f"The upload took longer than {self._deadline_s:g} seconds") from None
            raise Refused(Code.TIMEOUT, f"The upload was slower than {self._bytes_per_s} bytes per second") from None
        finally:
            self._bodies.discard(body)

    def _make_room(self, now: float) -> None:
        slowest = min(self._bodies, key=lambda body: body.due)
        if now - slowest.due < PATIENCE_S:
            raise Refused(Code.OVERLOADED)
        self._bodies.remove(slowest)
        if not slowest.timeout.expired():  # it may be on its way out
            slowest.timeout.reschedule(now)
