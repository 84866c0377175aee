"""Errors of checkpoints:

CheckpointError               it cannot be loaded, and a retry will not help
    CheckpointUnreachable     its source did not answer: use the cached copy, or retry later
"""


class CheckpointError(Exception):
    """A checkpoint cannot be loaded; the message names the URI and what to do."""

    def __init__(self, uri: str, problem: str, advice: str) -> None:
        super().__init__(uri, problem, advice)  # as `args`, so that the error survives pickling between processes
        self.uri = uri
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.uri!r}: {self.problem}. {self.advice}."


class CheckpointUnreachable(CheckpointError):
    """The source of the checkpoint did not answer, or the connection broke."""
