"""A subprocess ends with its parent, and not before."""

import subprocess
import sys
from pathlib import Path

import psutil

from serve_app.runtimes.child_process import run_child

WAITS = """
import os, sys, time
from pathlib import Path
from serve_app.runtimes.child_process import end_with_parent
end_with_parent()
new = Path(sys.argv[1] + ".new")
new.write_text(str(os.getpid()))
new.rename(sys.argv[1])
time.sleep(1000)
"""
PARENT = "import sys; from serve_app.runtimes.child_process import run_child; run_child([sys.executable, '-c', *sys.argv[1:]], 1000)"
ANSWERS = "from serve_app.runtimes.child_process import end_with_parent; end_with_parent(); print('done'); raise SystemExit(3)"


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    number = tmp_path / "child"
    with subprocess.Popen([sys.executable, "-c", PARENT, WAITS, str(number)]) as parent:
        while not number.exists():
            assert parent.poll() is None
        child = psutil.Process(int(number.read_text()))
        try:
            parent.kill()
            gone, _ = psutil.wait_procs([child], timeout=30)
            assert gone
        finally:
            if child.is_running():
                child.kill()


def test_a_child_may_take_its_time_and_ends_by_itself() -> None:
    ended = run_child([sys.executable, "-c", ANSWERS], deadline_s=60)
    assert (ended.returncode, ended.stdout.strip()) == (3, "done")
