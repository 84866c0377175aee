"""The next batches are read in a thread while the model works on one.

A thread and no process: reading and decoding leave the interpreter to others, and a process that is forked from one with PyTorch's
threads, as the workers of `torch.utils.data.DataLoader` are, is not safe.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

READ_AHEAD = 2  # batches

Batch = TypeVar("Batch")


def read_ahead(reads: Iterable[Callable[[], Batch]]) -> Iterator[Batch]:
    """What each of `reads` returns, in their order; what one raises is raised when its turn comes."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for read in reads:
            waiting.append(pool.submit(read))
            if len(waiting) > READ_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
