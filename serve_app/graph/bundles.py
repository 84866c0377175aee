"""Photos that wait for the same replicas share a call.

A call costs four to six milliseconds of CPU on its two sides, whether it has one photo or eight (benchmarks/README.md): on two cores, as
much as a third of what the models take. So only a few calls are under way at a time, and the photos that come meanwhile share the next
ones. As long as few photos come, each has a call of its own, at once.

Serve scales by calls, whatever is in them: this is for `ColocatedModels`, on a machine whose few cores they all share.
"""

import asyncio
import contextvars
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from serve_app.graph.messages import Detection
from serve_app.graph.ray_internals import GRPC_MAX_BYTES, Handle
from serve_app.graph.replicas import PATIENCE_S, Replicas
from serve_app.question import Question
from serve_app.vision.cropping import CropSpec
from serve_app.vision.image_headers import SIGNATURES

MOST_CALLS = 4  # under way: with fewer, replicas wait for photos; with more, fewer photos share a call
MOST_PHOTOS = 8  # in a call: all are answered when the last one is
MOST_BYTES = GRPC_MAX_BYTES // MOST_PHOTOS  # of a JPEG that shares a call: larger ones take longer to decode

_Arguments = tuple[bytes, CropSpec, Question]


@dataclass(frozen=True)
class _Waiting:
    """A photo that waits for a call, and the context that it came in, for its trace and its request's id."""

    arguments: _Arguments
    answer: "asyncio.Future[Detection | None]"
    context: contextvars.Context = field(default_factory=contextvars.copy_context)


class BundledReplicas(Replicas):
    """Replicas whose `detect_all` takes several photos.

    Args:
        handle: of `ColocatedModels`.
    """

    def __init__(self, handle: Handle) -> None:
        super().__init__(handle)
        self._under_way = 0
        self._waiting: deque[_Waiting] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, method: str, *args: Any, answer_bytes: int = 0) -> Any:
        """As `Replicas.call`; a photo whose turn has not come yet shares a call with others, if its work is likely to be as short."""
        if method != "detect" or not _is_short(*args):
            return await super().call(method, *args, answer_bytes=answer_bytes)
        if self._under_way >= MOST_CALLS or self._waiting:
            waiting = _Waiting((args[0], args[1], args[2]), asyncio.get_running_loop().create_future())
            self._waiting.append(waiting)
            if answer := await waiting.answer:
                return answer
            # Its detection failed among others: alone, it fails as any call does, or does not.
        end = self._begin()
        try:
            return await super().call(method, *args, answer_bytes=answer_bytes)
        finally:
            end()

    def _begin(self) -> Callable[[], None]:
        """Counts a call as under way until the function it returns is called, or until others have waited long enough for it."""
        self._under_way += 1
        counted = True

        def end() -> None:
            nonlocal counted
            late.cancel()
            if counted:
                counted = False
                self._under_way -= 1
                self._send()

        late = asyncio.get_running_loop().call_later(PATIENCE_S, end)
        return end

    def _send(self) -> None:
        """Divides the photos that wait among the calls that may be made now; those whose caller has gone are left out."""
        self._waiting = deque(each for each in self._waiting if not each.answer.done())
        while self._waiting and self._under_way < MOST_CALLS:
            share = math.ceil(len(self._waiting) / (MOST_CALLS - self._under_way))
            bundle = [self._waiting.popleft() for _ in range(min(share, MOST_PHOTOS))]
            task = asyncio.create_task(self._ask(bundle, self._begin()), context=bundle[0].context)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            for each in bundle:
                each.answer.add_done_callback(partial(_cancel_if_unwanted, task, bundle))

    async def _ask(self, bundle: list[_Waiting], end: Callable[[], None]) -> None:
        try:
            answers = await super().call("detect_all", [each.arguments for each in bundle])
        except Exception as error:
            for each in bundle:
                if not each.answer.done():
                    each.answer.set_exception(error)
        else:
            for each, answer in zip(bundle, answers, strict=True):
                if not each.answer.done():
                    each.answer.set_result(answer)
        finally:
            end()


def _is_short(image: bytes, _: CropSpec, question: Question) -> bool:
    """Whether the work for this question is about that of any small photo. Of other formats than JPEG, few bytes can be many pixels."""
    is_small = len(image) <= MOST_BYTES and SIGNATURES["JPEG"].match(image) is not None
    return is_small and question.is_short


def _cancel_if_unwanted(call: "asyncio.Task[None]", bundle: list[_Waiting], _: object) -> None:
    if all(each.answer.done() for each in bundle):
        call.cancel()
