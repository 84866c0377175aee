"""A fake clock that tests advance by hand."""


class Clock:
    """Seconds, as `time.monotonic` gives them."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
