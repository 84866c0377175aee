"""The batch worker: queued items form one batch, no item waits for a timer, and a poisoned item fails alone."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from serve_app.graph import batching
from serve_app.graph.batching import BatchWorker, warm_up
from serve_app.graph.watch import Watch


class GatedModel:
    """Doubles numbers; records each batch, and blocks until the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.started = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(list(items))
        self.started.set()
        assert self.gate.wait(30)
        if any(item < 0 for item in items):
            raise ValueError("poison")
        return [2 * item for item in items]


@pytest.fixture
def model() -> GatedModel:
    return GatedModel()


@pytest.fixture
def worker(model: GatedModel) -> Iterator[BatchWorker[int, int]]:
    worker = BatchWorker(model, max_batch_size=8)
    yield worker
    model.gate.set()
    worker.close()


async def submit_behind_a_busy_model(worker: BatchWorker[int, int], model: GatedModel, items: list[int]) -> list[int | BaseException]:
    """Submits one item, waits until the model has it, submits the others, and only then opens the gate."""
    first = asyncio.ensure_future(worker.submit(1000))
    await asyncio.to_thread(model.started.wait, 30)
    others = [asyncio.ensure_future(worker.submit(item)) for item in items]
    await asyncio.sleep(0)  # lets each of them reach the queue
    model.gate.set()
    assert await first == 2000
    return await asyncio.gather(*others, return_exceptions=True)


async def test_what_waits_goes_together(worker: BatchWorker[int, int], model: GatedModel) -> None:
    results = await submit_behind_a_busy_model(worker, model, list(range(16)))
    assert results == [2 * item for item in range(16)]
    assert model.batches == [[1000], list(range(8)), list(range(8, 16))]


async def test_an_idle_worker_takes_a_single_item_at_once(worker: BatchWorker[int, int], model: GatedModel) -> None:
    model.gate.set()
    assert await worker.submit(3) == 6
    assert model.batches == [[3]]


async def test_a_poisoned_item_fails_alone(worker: BatchWorker[int, int], model: GatedModel) -> None:
    results = await submit_behind_a_busy_model(worker, model, [1, -1, 2])
    assert results[0] == 2
    assert results[2] == 4
    assert isinstance(results[1], ValueError)


async def test_nothing_is_computed_for_a_cancelled_caller(worker: BatchWorker[int, int], model: GatedModel) -> None:
    first = asyncio.ensure_future(worker.submit(0))
    await asyncio.to_thread(model.started.wait, 30)
    given_up, kept = asyncio.ensure_future(worker.submit(1)), asyncio.ensure_future(worker.submit(2))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.sleep(0)
    model.gate.set()
    assert (await first, await kept) == (0, 4)
    assert model.batches == [[0], [2]]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError()], ids=lambda error: type(error).__name__)
async def test_whatever_the_model_raises_reaches_the_caller_and_the_thread_lives_on(error: BaseException) -> None:
    def run(items: list[int]) -> list[int]:
        if items == [0]:
            raise error
        return items

    worker = BatchWorker(run, max_batch_size=1)
    with pytest.raises((RuntimeError, MemoryError)):
        await worker.submit(0)
    assert await worker.submit(1) == 1
    worker.close()


async def test_a_wrong_number_of_results_is_a_fault() -> None:
    worker: BatchWorker[int, int] = BatchWorker(lambda items: [], max_batch_size=4)
    with pytest.raises(RuntimeError, match="1 items gave 0 results"):
        await worker.submit(1)
    worker.close()


async def test_closing_finishes_what_is_queued_and_refuses_more(model: GatedModel) -> None:
    worker = BatchWorker(model, max_batch_size=2)
    queued = [asyncio.ensure_future(worker.submit(item)) for item in range(5)]
    await asyncio.sleep(0)
    model.gate.set()
    await asyncio.to_thread(worker.close)
    assert await asyncio.gather(*queued) == [0, 2, 4, 6, 8]
    assert not worker.alive
    with pytest.raises(RuntimeError, match="closed"):
        await worker.submit(1)


async def test_batches_are_run_in_one_thread_and_reported() -> None:
    threads: list[str] = []
    sizes: list[int] = []

    def run(items: list[int]) -> list[int]:
        threads.append(threading.current_thread().name)
        return items

    worker = BatchWorker(
        run,
        max_batch_size=4,
        on_batch=lambda size, seconds: sizes.append(size),
    )
    assert await asyncio.gather(*(worker.submit(item) for item in range(3))) == [0, 1, 2]
    worker.close()
    assert set(threads) == {"model"}
    assert sum(sizes) == 3


def wait_until_idle(worker: BatchWorker[int, list[int]], threads: int) -> None:
    while worker._idle < threads:
        pass


async def test_threads_that_are_idle_share_what_is_queued() -> None:
    together = threading.Barrier(2)

    def run(items: list[int]) -> list[list[int]]:
        together.wait(30)
        return [items] * len(items)

    worker = BatchWorker(run, max_batch_size=4, threads=2)
    await asyncio.to_thread(wait_until_idle, worker, 2)
    with worker._wake:  # the threads find all four at once
        submitted = [asyncio.ensure_future(worker.submit(item)) for item in (1, 2, 3, 4)]
        await asyncio.sleep(0)
    batches = await asyncio.gather(*submitted)
    assert batches == [[1, 2], [1, 2], [3, 4], [3, 4]]
    worker.close()
    assert not worker.alive


async def test_warming_up_runs_a_batch_of_each_size() -> None:
    sizes: list[int] = []
    await warm_up(sizes.append, 4, Watch())
    assert sizes == [1, 2, 3, 4]


async def test_warming_up_a_slow_model_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "WARM_UP_S", 0.0)
    sizes: list[int] = []
    await warm_up(sizes.append, 4, Watch())
    assert sizes == [1]
