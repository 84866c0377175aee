"""Fairness: each client may ask about so many photos per second, and a few more at once (token bucket)."""

import asyncio
import ipaddress
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request

from serve_app.codes import Code
from serve_app.http.faults import Refused
from serve_app.records import RequestRecord
from serve_app.settings import Settings

logger = logging.getLogger(__name__)

FORWARDED = "x-forwarded-for"
SHARED_WAIT_S = 0.25  # for the shared store; a photo takes a tenth of that
SHARED_PAUSE_S = 5.0  # without the shared store, after it has failed
MOST_CLIENTS = 10_000  # whose buckets are kept; of more, those that were not heard of for longest start anew
IPV6_NETWORK = 64  # bits: whoever has one such address has all of the network


class Buckets(Protocol):
    """A token bucket for each client."""

    async def take(self, client: str, photos: int) -> float:
        """Takes `photos` tokens, or none; returns the seconds until there will be enough, 0.0 if there were."""
        ...


class LocalBuckets:
    """Buckets of this process.

    A bucket is one number, the time at which it will be full again (the generic cell rate algorithm, ITU-T I.371).

    Args:
        per_s: tokens that each bucket gains in a second.
        burst: tokens in a full one.
        clock: monotonic seconds.
    """

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / per_s
        self._fills_in = burst / per_s
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    async def take(self, client: str, photos: int) -> float:
        """See `Buckets`."""
        now = self._clock()
        full_at = max(self._full_at.get(client, now), now) + photos * self._interval
        wait = full_at - now - self._fills_in
        if wait > 1e-9:  # rounding
            return wait
        self._full_at[client] = full_at
        self._full_at.move_to_end(client)
        if len(self._full_at) > MOST_CLIENTS:
            self._full_at.popitem(last=False)
        return 0.0


# The same in Valkey, at once for all who ask, and by its clock.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local interval, fills_in, photos = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + photos * interval
local wait = full_at - now - fills_in
if wait > 0.000001 then return string.format('%.6f', wait) end
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'PX', math.ceil((full_at - now) * 1000) + 1)
return '0'
"""


class SharedBuckets:
    """Buckets in Valkey, for all ingress replicas together; while it does not answer, each has its own.

    Args:
        url: valkey://HOST:PORT/DB, or valkeys:// with TLS.
        per_s: tokens that each bucket gains in a second.
        burst: tokens in a full one.
        clock: monotonic seconds.
    """

    def __init__(self, url: str, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        from valkey.asyncio import Valkey
        from valkey.exceptions import ValkeyError

        self._interval = 1 / per_s
        self._fills_in = burst / per_s
        self._clock = clock
        self._local = LocalBuckets(per_s, burst, clock)
        self._client = Valkey.from_url(url, socket_timeout=SHARED_WAIT_S, socket_connect_timeout=SHARED_WAIT_S)
        self._script = self._client.register_script(_TAKE)
        self._errors = (ValkeyError, OSError, TimeoutError)
        self._failed_at = float("-inf")

    async def take(self, client: str, photos: int) -> float:
        """See `Buckets`."""
        if self._clock() - self._failed_at >= SHARED_PAUSE_S:
            try:
                return float(await self._script(keys=[f"gender-presentation/{client}"], args=[self._interval, self._fills_in, photos]))
            except self._errors as error:
                self._failed_at = self._clock()
                logger.warning("RATE_LIMIT_URL does not answer, each ingress replica counts for itself: %s", type(error).__name__)
        return await self._local.take(client, photos)


class Fairness:
    """Asks the buckets for each request about photos; without RATE_LIMIT_PHOTOS_PER_S it asks nothing.

    Args:
        proxies: proxies in front that add the address of whom they serve to X-Forwarded-For.
    """

    def __init__(self, settings: Settings, proxies: int) -> None:
        per_s, burst, url = settings.rate_limit_photos_per_s, settings.rate_limit_burst, settings.rate_limit_url
        self._buckets: Buckets | None = None
        if per_s is not None:
            self._buckets = SharedBuckets(url, per_s, burst) if url else LocalBuckets(per_s, burst)
        self._proxies = proxies

    async def take(self, request: Request, photos: int = 1) -> None:
        """Counts photos of a client: of its key or, without one, of its address.

        Raises:
            Refused: `too_many_requests`, with the seconds until there will be room.
        """
        wait = await self._take(request, photos)
        if wait:
            raise Refused(Code.TOO_MANY_REQUESTS, retry_after_s=math.ceil(wait))

    async def wait_for_one(self, request: Request) -> None:
        """Counts one more photo of a stream, as soon as its client may send one."""
        while wait := await self._take(request, 1):  # noqa: ASYNC110 - its bucket says how long
            await asyncio.sleep(wait)

    async def _take(self, request: Request, photos: int) -> float:
        if self._buckets is None:
            return 0.0
        record: RequestRecord = request.state.record
        client = f"key/{record.key}" if record.key is not None else f"address/{address_of(request, self._proxies)}"
        return await self._buckets.take(client, photos)


def address_of(request: Request, proxies: int) -> str:
    """The address of a client; of IPv6 its network.

    Whatever a client writes into X-Forwarded-For, the proxies add to the end of it: what the first of them added is what counts.
    """
    address = request.client.host if request.client else ""
    if proxies:
        forwarded = [each.strip() for line in request.headers.getlist(FORWARDED) for each in line.split(",")]
        address = next(iter(forwarded[-proxies:]), address)
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"  # nothing that a client may choose freely
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
