"""How often calls may be repeated: a share of the traffic, so that replicas that keep dying do not get twice the load."""

RETRY_SHARE = 0.1


class RetryBudget:
    """A token bucket that is filled by the traffic: retries are at most `share` of it, and a burst.

    A replica that dies takes everything it held with it at once, so the burst should be as large as what may be in flight.

    Args:
        burst: most retries at once, and the budget at the start.
        share: retries earned by each photo.
    """

    def __init__(self, burst: int, share: float = RETRY_SHARE) -> None:
        self._burst = float(burst)
        self._share = share
        self._tokens = self._burst

    def earn(self) -> None:
        """A photo came in."""
        self._tokens = min(self._burst, self._tokens + self._share)

    def spend(self) -> bool:
        """Takes one retry out of the budget; False when there is none left."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
