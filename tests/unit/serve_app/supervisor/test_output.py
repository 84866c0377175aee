"""A closed terminal does not end the service."""

import os
import pty
import subprocess
import sys

PROGRAM = """
import signal, sys
from serve_app.supervisor.output import say
signal.signal(signal.SIGHUP, signal.SIG_IGN)
say("before")
sys.stdin.read()
say("after")
say("a problem", problem=True)
"""


def test_lines_after_the_terminal_is_gone_are_lost_and_nothing_else() -> None:
    ours, terminal = pty.openpty()
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        assert os.read(ours, 100).startswith(b"before")
        os.close(ours)
        process.communicate()
    assert process.returncode == 0
