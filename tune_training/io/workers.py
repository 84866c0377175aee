"""One task over many files, in worker processes that each load their models once: on this machine, or with Ray Data on a cluster.

Ray Data is for many machines. On one, plain processes start ten seconds sooner and leave the cores to the models.
"""

import logging
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from enum import StrEnum
from multiprocessing import get_context, parent_process
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from serve_app.runtimes.base import has_cuda
from serve_app.settings import cores, get_settings

logger = logging.getLogger(__name__)

NAME = "name"  # column
TASK = 32  # files that a worker gets at a time
DEATHS = 2  # of a cluster's processes, of one file: the first may be that of their node

Work = Callable[[Sequence[str]], pa.Table]  # names of files to a row for each


class Engine(StrEnum):
    """What runs the workers."""

    AUTO = "auto"
    LOCAL = "local"
    RAY = "ray"


def work_on(
    names: Sequence[str], load: Callable[[], Work], crashed: Callable[[str], pa.Table], engine: Engine, doing: str = "", done: int = 0
) -> Iterator[pa.Table]:
    """Yields the rows of tasks as they finish, in any order, with a progress bar if stderr is a terminal.

    Args:
        names: of the files.
        load: makes the work; it is called once in each worker, so both must survive pickling.
        crashed: makes the row of a file that kills the process working on it; on a cluster it must survive pickling, too.
        engine: auto is Ray where there is a cluster (RAY_ADDRESS, or Ray is initialised), processes of this machine otherwise.
        doing: text before the bar.
        done: files that were done earlier and count towards the bar's total.
    """
    with tqdm(total=done + len(names), initial=done, unit="photo", desc=doing, disable=None) as bar:
        for rows in _tables(names, load, crashed, engine):
            yield rows
            bar.update(len(rows))


def _tables(names: Sequence[str], load: Callable[[], Work], crashed: Callable[[str], pa.Table], engine: Engine) -> Iterator[pa.Table]:
    tasks = [names[start : start + TASK] for start in range(0, len(names), TASK)]
    if not tasks:
        return iter(())
    if engine is Engine.RAY or (engine is Engine.AUTO and _is_on_a_cluster()):
        return _on_ray(tasks, load, crashed)
    return _on_this_machine(tasks, load, crashed)


def _is_on_a_cluster() -> bool:
    # Looks in sys.modules because importing Ray takes a second, and only an imported one can be initialised.
    return bool(os.environ.get("RAY_ADDRESS")) or ("ray" in sys.modules and sys.modules["ray"].is_initialized())


class _CannotStart(Exception):
    """Processes end before their first task, whatever the task is."""


def _on_this_machine(tasks: Sequence[Sequence[str]], load: Callable[[], Work], crashed: Callable[[str], pa.Table]) -> Iterator[pa.Table]:
    waiting = list(tasks)
    try:
        yield from _in_safe_processes(waiting, load, crashed)
    except _CannotStart:
        # A new process runs the script again, up to this call, where Python ends it: no photo is to blame.
        logger.warning("no further process can be started, so one core works: put what the script does below `if __name__ == '__main__':`")
        work = load()
        yield from map(work, waiting)


def _in_safe_processes(
    waiting: list[Sequence[str]], load: Callable[[], Work], crashed: Callable[[str], pa.Table]
) -> Generator[pa.Table, None, None]:
    processes = 1 if has_cuda(get_settings().device) else cores()
    while waiting:
        suspects = yield from _in_processes(waiting, load, processes)
        # The file that killed a process is among those in flight: each of them is tried alone.
        alone: list[Sequence[str]] = [[name] for task in suspects for name in task]
        while alone:
            if culprit := (yield from _in_processes(alone, load, 1)):
                yield crashed(culprit[0][0])


def _in_processes(waiting: list[Sequence[str]], load: Callable[[], Work], processes: int) -> Generator[pa.Table, None, list[Sequence[str]]]:
    """Takes tasks from `waiting` until it is empty or a process dies; returns the tasks that were in flight then.

    Raises:
        _CannotStart: a process dies before it has a task.
    """
    # One task more than processes, so that none idles; but files that are tried alone must be alone, to blame the right one.
    at_a_time = processes + 1 if processes > 1 else 1
    running: dict[Future[pa.Table], Sequence[str]] = {}
    with ProcessPoolExecutor(min(processes, len(waiting)), get_context("spawn"), initializer=_begin, initargs=(load,)) as pool:
        start = pool.submit(_start)
        try:
            while waiting or running:
                while waiting and len(running) < at_a_time:
                    task = waiting.pop(0)
                    running[pool.submit(_run, task)] = task
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                    del running[future]
        except BrokenProcessPool as error:
            if start.exception():
                waiting[:0] = running.values()
                raise _CannotStart from error
            return list(running.values())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return []


def _start() -> None:
    """The first task of a process: it is there."""


_load: Callable[[], Work] | None = None
_work: Work | None = None


def _run(task: Sequence[str]) -> pa.Table:
    global _work
    assert _load
    _work = _work or _load()
    return _work(task)


def _begin(load: Callable[[], Work]) -> None:
    """Prepares a process. `load` comes once and not with each task: it may know all names, and be large."""
    global _load
    _load = load
    _end_with_parent()


def _end_with_parent() -> None:
    """Without this, a process whose parent was killed would wait for ever, with its models in memory."""
    parent = parent_process()
    assert parent

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle


def _on_ray(tasks: Sequence[Sequence[str]], load: Callable[[], Work], crashed: Callable[[str], pa.Table]) -> Iterator[pa.Table]:
    import ray

    from tune_training.io.cluster import ray_cluster

    with ray_cluster():
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False  # `work_on` has one
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        resources = ray.cluster_resources()
        kind = "GPU" if resources.get("GPU") and get_settings().device != "cpu" else "CPU"
        actors = max(1, min(int(resources.get(kind, 1)), len(tasks)))
        attempts = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Attempts).remote()
        files = ray.data.from_arrow([pa.table({NAME: list(task)}) for task in tasks])  # a block for each task
        rows = files.map_batches(
            _actor(load, crashed, attempts),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=actors),
            **{f"num_{kind.lower()}s": min(1.0, resources.get(kind, 1.0))},
        )
        yield from rows.iter_batches(batch_size=None, batch_format="pyarrow")


class _Attempts:
    """What the actors have begun and not ended, in an actor that outlives them.

    Ray replaces an actor whose process dies and gives its task to the new one, which could not know that the task is dangerous.
    """

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()

    def begin(self, what: str) -> int:
        """Returns how often it was begun since it ended last."""
        self._begun[what] += 1
        return self._begun[what]

    def end(self, what: str) -> None:
        """It is done."""
        del self._begun[what]


def _actor(load: Callable[[], Work], crashed: Callable[[str], pa.Table], attempts: Any) -> type:
    """The work as a class, which is what Ray Data takes. Constructor arguments would be lost with the node that holds them."""
    import ray

    class Actor:
        def __init__(self) -> None:
            self._work = load()

        def __call__(self, files: pa.Table) -> pa.Table:
            names = files[NAME].to_pylist()
            task = "\n".join(names)
            if ray.get(attempts.begin.remote(task)) == 1:
                rows = self._work(names)
            else:  # a process died of it: which file is to blame shows when each is tried alone
                rows = pa.concat_tables([self._alone(name) for name in names])
            attempts.end.remote(task)
            return rows

        def _alone(self, name: str) -> pa.Table:
            alone = f"alone {name}"
            if ray.get(attempts.begin.remote(alone)) > DEATHS:
                return crashed(name)
            rows = self._work([name])
            attempts.end.remote(alone)
            return rows

    return Actor
