"""Both loops run on what a trial trains on; how fast they are is not for a test."""

from pathlib import Path

from benchmarks.training_loop import measure_loops
from tests.support.checkpoints import write_tiny_classifier


def test_both_loops_are_measured_in_turn(tmp_path: Path) -> None:
    lines: list[str] = []
    start = str(write_tiny_classifier(tmp_path))
    speed = measure_loops(start, 32, batch_size=4, steps=2, rounds=2, threads=1, progress=lines.append)
    assert len(speed.bare) == len(speed.trial) == 2
    assert len(lines) == 3  # the first does not count
    assert min(speed.bare + speed.trial + [speed.ratio]) > 0
