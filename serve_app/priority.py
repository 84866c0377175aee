"""Threads that compute give way to those that only pass requests on.

A busy kernel gives each thread the same share. Four threads of the models on two cores leave the ingress less than it needs for many
clients at a time, and all of them wait for it, those that it only refuses, too (benchmarks/README.md).
"""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

GIVEN_WAY = 5  # nice levels: a third of the share of a thread beside it that does not give way


def give_way(levels: int = GIVEN_WAY) -> None:
    """Lowers the priority of the calling thread, and of those that it starts from now on. There is no way back.

    Args:
        levels: of niceness, more than now.
    """
    if sys.platform == "linux":  # elsewhere the whole process would be slower, and calls with it
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # a sandbox that forbids it: everything works without
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + levels)


async def in_thread_that_gives_way(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As `asyncio.to_thread`, in a thread of its own that gives way.

    Raises:
        Exception: raised by the function.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="gives-way", initializer=give_way)
    try:
        return await asyncio.wrap_future(thread.submit(function, *args, **kwargs))
    finally:
        thread.shutdown(wait=False)  # a caller that is cancelled does not wait
