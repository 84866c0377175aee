"""Photos are tried in a process of their own before they are decoded in this one."""

import sys
from pathlib import Path

import pytest

from tests.support.data_sets import blots, write_photo
from tune_training.io.decode_first import survives_decoding


def test_photos_that_are_decoded_or_refused_or_missing_harm_no_process(tmp_path: Path) -> None:
    write_photo(tmp_path / "café\n1.jpg", blots(0))
    write_photo(tmp_path / "text.png", b"no image")
    assert survives_decoding(str(tmp_path), ["café\n1.jpg", "text.png", "gone.jpg"])


def test_a_process_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    assert not survives_decoding(str(tmp_path), ["a.jpg"])
