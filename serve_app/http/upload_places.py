"""Places for bodies that are arriving: a limited number, and none for those that arrive too slowly."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from serve_app.codes import Code
from serve_app.http.faults import Refused
from serve_app.settings import Settings

GRACE_S = 5.0  # so far a body may be behind the minimum rate: connections stall
PATIENCE_S = 1.0  # and so far while others want its place


class ArrivingBody:
    """A body in its place.

    Attributes:
        due: when its bytes so far would have been here at the minimum rate; never, while it is paused.
        timeout: ends it.
    """

    def __init__(self, began: float, end: float, bytes_per_s: int, most_ahead_s: float) -> None:
        self.due = began
        self.timeout = asyncio.timeout_at(min(end, began + GRACE_S))
        self._end = end
        self._bytes_per_s = bytes_per_s
        self._most_ahead_s = most_ahead_s  # after a fast start a long body may not be silent for ever
        self._now = asyncio.get_running_loop().time

    def received(self, size: int) -> None:
        """A chunk of `size` bytes has arrived."""
        self.due = min(self.due + size / self._bytes_per_s, self._now() + self._most_ahead_s)
        self.timeout.reschedule(min(self._end, self.due + GRACE_S))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The service itself takes no more for now, which does not make the client slow; the deadline stays."""
        began, due = self._now(), self.due
        self.due = math.inf
        self.timeout.reschedule(self._end)
        yield
        self.due = due + self._now() - began
        self.timeout.reschedule(min(self._end, self.due + GRACE_S))


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
        self._bodies: set[ArrivingBody] = set()

    @asynccontextmanager
    async def place(self, deadline_s: float | None = None) -> AsyncIterator[ArrivingBody]:
        """A place until the block is left.

        Args:
            deadline_s: instead of the settings' deadline of a body.

        Raises:
            Refused: `overloaded`: there is no place. `timeout`: the body is too slow.
        """
        deadline_s = deadline_s or self._deadline_s
        began = asyncio.get_running_loop().time()
        end = began + deadline_s
        if len(self._bodies) >= self._places:
            self._make_room(began)
        body = ArrivingBody(began, end, self._bytes_per_s, self._deadline_s)
        try:
            async with body.timeout:
                self._bodies.add(body)
                yield body
        except TimeoutError:
            if body.timeout.when() == end:
                raise Refused(Code.TIMEOUT, f"The upload took longer than {deadline_s:g} seconds") from None
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
