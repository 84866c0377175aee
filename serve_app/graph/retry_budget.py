"""How often calls may be repeated: a share of the traffic, so that dying replicas do not get a multiple of the load."""

RETRY_SHARE = 0.1


class RetryBudget:
    """A token bucket filled by the traffic: retries are at most `share` of the photos, after a burst.

    A replica that dies takes all its photos with it at once, so the burst should be as large as the number of photos in flight.

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
        """Takes one retry from the budget; False when none is left."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
