"""When to ask again, as the service's README says; it knows nothing of sockets, so that both clients share it."""

import random
import time
from collections.abc import Callable

import httpx
from pydantic import ValidationError

from gender_client.errors import ClientError, ServiceError, Unreachable
from gender_client.models import Fault, Health

BUSY = (429, 503)  # wait as long as Retry-After says
DIED = (500, 502)  # without a body of the service's own: a process died under the request, and is replaced within seconds
PAUSE_S = 1.0
JITTER = 0.5  # at most so much longer than the pause, or all who were refused together come back together


class Attempts:
    """The attempts at one request.

    Args:
        deadline_s: seconds for all of them.
        clock: monotonic seconds.
        chance: a number from 0 to 1.
    """

    def __init__(self, deadline_s: float, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._ends_at = clock() + deadline_s
        self._breaks = 0

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return max(self._ends_at - self._clock(), 0.001)

    def after(self, response: httpx.Response) -> float | None:
        """Seconds until the next attempt; None when the response is an answer.

        Raises:
            ServiceError: asking again would not help, or there is no time left to.
            Unreachable: what answers is not the service.
        """
        if response.status_code < 400 or _is_health(response):
            return None
        fault = _fault(response)
        if response.status_code in BUSY:
            wait = _seconds(response.headers.get("retry-after")) or PAUSE_S
            return self._wait(wait, fault or Unreachable(f"HTTP {response.status_code}, and no answer of the service's own"))
        if fault is not None:
            raise fault
        error = Unreachable(f"HTTP {response.status_code}, and no answer of the service's own: is the address right?")
        if response.status_code in DIED:
            return self._after_a_break(error)
        raise error

    def after_busy(self, fault: ServiceError) -> float:
        """Seconds until the next attempt at what a stream did not answer, because the service was busy or is stopping.

        Raises:
            ServiceError: there is no time left.
        """
        return self._wait(PAUSE_S, fault)

    def after_error(self, error: httpx.TransportError) -> float:
        """Seconds until the next attempt, after a connection that broke or was refused.

        Raises:
            Unreachable: there is no time left.
        """
        return self._after_a_break(Unreachable(str(error) or type(error).__name__))

    def _after_a_break(self, error: ClientError) -> float:
        self._breaks += 1
        return self._wait(0.0 if self._breaks == 1 else PAUSE_S, error)

    def _wait(self, seconds: float, error: ClientError) -> float:
        seconds *= 1 + JITTER * self._chance()
        if seconds >= self._ends_at - self._clock():
            raise error
        return seconds


def _fault(response: httpx.Response) -> ServiceError | None:
    try:
        fault = Fault.model_validate_json(response.content)
    except ValidationError:
        return None
    return ServiceError(fault.code, fault.error, response.status_code, fault.request_id)


def _is_health(response: httpx.Response) -> bool:
    """Whether it is what /health says of a service that cannot answer: an answer, too."""
    try:
        Health.model_validate_json(response.content)
    except ValidationError:
        return False
    return True


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(float(retry_after or ""), 0.0)
    except ValueError:
        return None  # a date, which this service does not send
