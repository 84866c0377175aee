"""Questions to processes that may end at any moment, as many of Ray's do."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

T = TypeVar("T")


def of_each(processes: Iterable[psutil.Process], ask: Callable[[psutil.Process], T]) -> dict[psutil.Process, T]:
    """What `ask` returns for each process; those that have ended are left out."""
    found = {}
    for process in processes:
        try:
            found[process] = ask(process)
        except psutil.NoSuchProcess:
            continue
    return found


def named(processes: Iterable[psutil.Process], name: str) -> list[psutil.Process]:
    """The processes of this program."""
    return [process for process, its_name in of_each(processes, psutil.Process.name).items() if its_name == name]


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kills those that still run."""
    of_each(processes, psutil.Process.kill)
