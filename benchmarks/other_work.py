"""How much of the machine other programs took during a measurement: a run on a machine that was not quiet says so."""

import os
import time
from collections.abc import Callable

import psutil

QUIET_CORES = 0.1  # that others may use: more than a tenth of a core changes ratios by percents


class OtherWork:
    """Counts from its construction until `cores` is asked.

    Args:
        served_s: CPU seconds of the server under measurement so far; our own processes are known.
    """

    def __init__(self, served_s: Callable[[], float] = lambda: 0.0) -> None:
        self._served_s = served_s
        self._started = time.monotonic()
        self._before = self._others_s()

    def cores(self) -> float:
        """Cores that other programs kept busy on average, the virtual machine's own host included where it tells (steal)."""
        return max(self._others_s() - self._before, 0.0) / max(time.monotonic() - self._started, 1e-6)

    def _others_s(self) -> float:
        machine, ours = psutil.cpu_times(), os.times()
        busy = sum(getattr(machine, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal"))
        return float(busy) - self._served_s() - (ours.user + ours.system + ours.children_user + ours.children_system)
