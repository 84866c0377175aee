"""Threads that decode and compute give way to event loops, and those that decode large photos to all of them."""

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from serve_app.graph.batching import BatchWorker, warm_up
from serve_app.graph.model_slot import ModelSlot
from serve_app.graph.watch import Watch
from serve_app.priority import GIVEN_WAY, in_thread_that_gives_way
from serve_app.vision.decoding import DecodeLimits
from serve_app.vision.decoding_lanes import DecodingLanes
from tests.support.images import FORMATS, encode, picture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")

MOST = 19  # the kernel knows no more


def niceness(*_: object) -> int:
    """Of the calling thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.fixture
def usual() -> int:
    return niceness()


async def test_what_takes_batches_gives_way(usual: int) -> None:
    def niceness_of_each(items: Sequence[int]) -> list[int]:
        return [niceness() for _ in items]

    worker = BatchWorker(niceness_of_each, max_batch_size=1, threads=2)
    assert {await worker.submit(0) for _ in range(8)} == {min(usual + GIVEN_WAY, MOST)}
    worker.close()
    assert niceness() == usual


async def test_what_decodes_gives_way_and_large_photos_to_small_ones(usual: int) -> None:
    lanes = DecodingLanes(DecodeLimits(FORMATS, max_pixels=50_000_000), threads=2, max_large_work=50_000_000)
    small, large = encode(picture(), "PNG"), encode(picture(2000, 1500), "PNG")
    assert await lanes.decode(small, niceness) == await lanes.run(niceness) == min(usual + GIVEN_WAY, MOST)
    assert await lanes.decode(large, niceness) == min(usual + 2 * GIVEN_WAY, MOST)


async def test_models_are_loaded_and_warmed_in_threads_that_give_way(usual: int) -> None:
    seen: list[int] = []

    async def warm(model: int) -> None:
        await warm_up(lambda size: seen.append(niceness()), 2, Watch(60))

    slot = ModelSlot(niceness, warm)
    await slot.apply({})
    assert [slot.current, *seen] == [min(usual + GIVEN_WAY, MOST)] * 3


async def test_threads_that_such_a_thread_starts_give_way_as_far(usual: int) -> None:
    """The runtimes' own threads."""

    def in_a_thread_of_its_own() -> int:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(niceness).result()

    assert await in_thread_that_gives_way(in_a_thread_of_its_own) == min(usual + GIVEN_WAY, MOST)


async def test_a_cancelled_caller_does_not_wait_for_the_thread() -> None:
    started, end = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        end.wait()

    task = asyncio.create_task(in_thread_that_gives_way(work))
    await asyncio.to_thread(started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not end.is_set()
    end.set()
