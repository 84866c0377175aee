"""Threads that decode: small photos wait only for small ones, and large ones only for large ones.

Two clients that post the largest photos allowed would otherwise keep all threads busy for seconds, while the photos of everybody else
queue behind them.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import ParamSpec, TypeVar

from serve_app.codes import Code
from serve_app.priority import GIVEN_WAY, give_way
from serve_app.vision.decoding import DecodeLimits, EncodedPhoto, ImageRefused
from serve_app.vision.images import RGB

P = ParamSpec("P")
T = TypeVar("T")

SMALL_WORK = 2_000_000
"""Pixels (see `EncodedPhoto.work`) of the photos that count as small: a screen of 1920 x 1080 pixels, or a JPEG of 16 megapixels."""


class DecodingLanes:
    """Decodes photos, small ones in some threads and large ones in one thread of their own.

    Args:
        limits: which photos are accepted.
        threads: for small photos, for the headers of large ones, and for `run`.
        max_large_work: pixels (see `EncodedPhoto.work`) of the large photos that are decoded or waiting.
        working: a context for as long as a thread works on something.
        place: a context for decoding a large photo; waiting for it is not yet work.
    """

    def __init__(
        self,
        limits: DecodeLimits,
        threads: int,
        max_large_work: int,
        working: Callable[[], AbstractContextManager[object]] = nullcontext,
        place: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._limits = limits
        self._max_large_work = max_large_work
        self._working = working
        self._place = place
        self._small = ThreadPoolExecutor(threads, thread_name_prefix="decode", initializer=give_way)
        self._large = ThreadPoolExecutor(1, "decode-large", initializer=give_way, initargs=(2 * GIVEN_WAY,))
        self._large_work = 0
        self._counting = threading.Lock()

    @property
    def large_work(self) -> int:
        """Pixels of the large photos that are decoded or waiting now."""
        return self._large_work

    async def decode(self, data: bytes, then: Callable[[RGB], T]) -> T:
        """Decodes a photo (see `decoding.decode`) and calls `then` with it, in the same thread.

        Raises:
            ImageRefused: as `decoding.decode`, and OVERLOADED: too many large photos are waiting.
        """
        photo = await self.run(self._decoded_if_small, data, then)
        if not isinstance(photo, EncodedPhoto):
            return photo
        self._take(photo.work)
        future = self._large.submit(self._in_its_place, lambda: then(photo.decode()))
        # When it ends or is cancelled, and not when the caller stops waiting: a thread cannot be interrupted.
        future.add_done_callback(lambda _: self._give_back(photo.work))
        return await asyncio.wrap_future(future)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a short function in a thread of the small photos."""
        return await asyncio.wrap_future(self._small.submit(self._watched, partial(function, *args, **kwargs)))

    def _in_its_place(self, function: Callable[[], T]) -> T:
        with self._place():
            return self._watched(function)

    def _watched(self, function: Callable[[], T]) -> T:
        with self._working():
            return function()

    def _decoded_if_small(self, data: bytes, then: Callable[[RGB], T]) -> T | EncodedPhoto:
        photo = EncodedPhoto(data, self._limits)
        return photo if photo.work > SMALL_WORK else then(photo.decode())

    def _take(self, work: int) -> None:
        with self._counting:
            # One photo may always be decoded, whatever the limit.
            if self._large_work and self._large_work + work > self._max_large_work:
                raise ImageRefused(Code.OVERLOADED)
            self._large_work += work

    def _give_back(self, work: int) -> None:
        with self._counting:
            self._large_work -= work
