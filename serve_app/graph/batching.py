"""Batches: a worker drains a queue, so a batch is what queued up while the model was busy.

`@serve.batch` closes its batches on a timer even while the model is busy, so under load its batches stay small, and a timer long
enough to fill them makes the requests of an idle service wait. Here no request waits for a timer: an idle worker takes whatever is
queued, and a busy one takes everything that has queued up when it is free again.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import groupby
from typing import Generic, TypeVar

from serve_app.graph.watch import Watch
from serve_app.priority import give_way, in_thread_that_gives_way

WARM_UP_S = 3.0

Item = TypeVar("Item")
Result = TypeVar("Result")
Model = TypeVar("Model")


class BatchWorker(Generic[Item, Result]):
    """Runs `run_batch` in threads of its own, on up to `max_batch_size` queued items at a time.

    When a batch fails, its items are run one by one, so that a bad item fails alone.

    Args:
        run_batch: a list of items in, a list of as many results out.
        max_batch_size: the most items in a batch.
        on_batch: called after each batch with its size and its duration in seconds.
        watch: is told of each batch while it runs.
        threads: that take batches; those that are idle share what is queued.
    """

    def __init__(
        self,
        run_batch: Callable[[list[Item]], Sequence[Result]],
        max_batch_size: int,
        *,
        on_batch: Callable[[int, float], None] = lambda size, seconds: None,
        watch: Watch | None = None,
        threads: int = 1,
    ) -> None:
        self.max_batch_size = max_batch_size
        self._run_batch = run_batch
        self._on_batch = on_batch
        self._watch = watch or Watch()
        self._queue: deque[tuple[Item, Future[Result]]] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._idle = 0
        self._threads = [threading.Thread(target=self._work, name="model", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    async def submit(self, item: Item) -> Result:
        """Queues an item and awaits its result.

        Raises:
            Exception: raised by `run_batch` for this item alone.
            RuntimeError: the worker is closed.
        """
        future = Future[Result]()
        with self._wake:
            if self._closed:
                raise RuntimeError("the batch worker is closed")
            self._queue.append((item, future))
            self._wake.notify()
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Refuses new items, finishes those queued and ends the threads."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def alive(self) -> bool:
        """Whether all threads still take items."""
        return all(thread.is_alive() for thread in self._threads) and not self._closed

    def _work(self) -> None:
        give_way()
        while batch := self._next_batch():
            started = time.perf_counter()
            self._run(batch)
            self._on_batch(len(batch), time.perf_counter() - started)

    def _next_batch(self) -> list[tuple[Item, Future[Result]]]:
        """Waits for items; an empty list means that the worker is closed and its queue is empty."""
        with self._wake:
            while True:
                self._idle += 1
                while not self._queue and not self._closed:
                    self._wake.wait()
                share = min(self.max_batch_size, math.ceil(len(self._queue) / self._idle))
                self._idle -= 1
                batch: list[tuple[Item, Future[Result]]] = []
                while self._queue and len(batch) < share:
                    item, future = self._queue.popleft()
                    if future.set_running_or_notify_cancel():  # False for a cancelled one
                        batch.append((item, future))
                if batch or self._closed:
                    return batch

    def _run(self, batch: list[tuple[Item, Future[Result]]]) -> None:
        try:
            with self._watch.working("a batch"):
                results = self._run_batch([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(batch)} items gave {len(results)} results")
        # Everything, also SystemExit: a future that is never set would hang its caller.
        except BaseException as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))
                return
            for pair in batch:
                self._run([pair])
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)


async def warm_up(run: Callable[[int], object], max_batch_size: int, watch: Watch) -> None:
    """Runs a batch of each size: a runtime prepares itself once for each shape, and no request should wait for that.

    Stops after `WARM_UP_S`: for models that are slower than that, the preparation is negligible beside the inference itself.

    Args:
        run: runs a batch of so many items; it is called in a thread.
        max_batch_size: the largest size.
        watch: is told of each batch while it runs.
    """
    started = time.perf_counter()
    for size in range(1, max_batch_size + 1):
        with watch.working("a first batch"):
            await in_thread_that_gives_way(run, size)
        if time.perf_counter() - started > WARM_UP_S:
            return


def run_each_with_its_model(work: Sequence[tuple[Model, Item]], run: Callable[[Model, Sequence[Item]], Sequence[Result]]) -> list[Result]:
    """Runs each item through the model that it was prepared for: during an exchange a batch may hold items of two models."""
    results: list[Result] = []
    for _, group in groupby(work, key=lambda pair: id(pair[0])):
        pairs = list(group)
        results += run(pairs[0][0], [item for _, item in pairs])
    return results
