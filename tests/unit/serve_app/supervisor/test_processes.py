"""All processes of a run are found and ended, wherever they are."""

import socket
import subprocess
from pathlib import Path

import psutil

from serve_app.supervisor.processes import EarlierRun, earlier_runs, end_run, run_of
from tests.unit.serve_app.supervisor.conftest import SAY_AND_WAIT, WAIT, Spawn

# A child that has a session and an environment of its own.
PARENT = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {SAY_AND_WAIT!r}], env={{}}, start_new_session=True)
{WAIT}
"""

# A child whose parent has ended, and that has a session of its own.
ORPHAN = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {SAY_AND_WAIT!r}], start_new_session=True)
"""

LISTEN = f"""
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(__import__("os").getpid(), flush=True)
{WAIT}
"""

STARTS_WHAT_RUNS = f"""
import os, subprocess, sys
environment = dict(os.environ, DRAIN_DIR=sys.argv[1])
subprocess.Popen([sys.executable, "-c", {SAY_AND_WAIT!r}], env=environment)
{WAIT}
"""


def ours(folder: Path) -> EarlierRun:
    (run,) = [run for run in earlier_runs() if set(run.processes) == set(run_of(folder))]
    return run


def test_children_and_orphans_belong_to_the_run_and_end_with_it(folder: Path, spawn: Spawn) -> None:
    child, orphan = spawn(PARENT), spawn(ORPHAN, ends=True)
    members = run_of(folder)
    assert {child, orphan, child.parent()} == set(members)
    end_run(folder)
    assert psutil.wait_procs(members, timeout=20)[1] == []
    assert run_of(folder) == []


def test_other_programs_do_not(folder: Path, spawn: Spawn) -> None:
    other = spawn(SAY_AND_WAIT, marked=False)
    end_run(folder)
    assert other.is_running()


def test_what_an_earlier_run_has_left_is_ended_by_the_command_that_is_named(folder: Path, spawn: Spawn) -> None:
    members = [spawn(ORPHAN, ends=True), spawn(ORPHAN, ends=True)]
    run = ours(folder)
    assert run.supervisor is None
    subprocess.run(run.ended_by, shell=True, check=True)
    assert psutil.wait_procs(members, timeout=20)[1] == []


def test_a_run_that_is_kept_is_ended_by_ending_who_keeps_it(folder: Path, spawn: Spawn) -> None:
    kept = spawn(STARTS_WHAT_RUNS, folder, "serve_app", marked=False)
    assert ours(folder).supervisor == kept.parent()
    assert ours(folder).ended_by == f"kill {kept.ppid()}"


def test_who_has_a_port_is_known(folder: Path, spawn: Spawn) -> None:
    (listening,) = spawn(LISTEN).net_connections("tcp")
    assert ours(folder).listens_on(listening.laddr.port)
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert not ours(folder).listens_on(other.getsockname()[1])
