"""What can go wrong with a checkpoint:

CheckpointError               it cannot be had, and trying again will not help
    CheckpointUnreachable     its source did not answer: a copy in the cache will do, or another try later
"""


class CheckpointError(Exception):
    """A checkpoint cannot be had; the message names the URI and says what to do."""

    def __init__(self, uri: str, problem: str, advice: str) -> None:
        super().__init__(uri, problem, advice)  # as `args`, so that the error survives pickling between processes
        self.uri = uri
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.uri!r}: {self.problem}. {self.advice}."


class CheckpointUnreachable(CheckpointError):
    """The source of the checkpoint did not answer, or broke off."""
