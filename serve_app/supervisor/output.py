"""Lines for people, which must not end the service when the terminal that they go to is closed."""

import os
import sys


def say(text: str, problem: bool = False) -> None:
    """Prints a line, to stderr if it tells of a problem."""
    try:
        print(text, file=sys.stderr if problem else sys.stdout, flush=True)
    except OSError:  # the terminal is gone
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the end
