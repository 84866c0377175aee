"""One of two nodes is lost under load, or asked to end: the service keeps answering, and the replicas return with the next node."""

import asyncio
from collections.abc import Iterator

import pytest

from benchmarks.simulated import small_photo
from benchmarks.traffic import Reply, Traffic
from serve_app.graph.ray_internals import free_port
from tests.support.two_nodes import EVERYWHERE, HEAD, Placement, TwoNodes, two_nodes

CLIENTS = 6
ENOUGH = 20  # answers that show the service keeps answering
ONLY_ON_HEAD: Placement = {name: {HEAD: 1} for name in EVERYWHERE}


@pytest.fixture
def nodes() -> Iterator[TwoNodes]:
    with two_nodes(free_port()) as running:
        yield running


class Clients:
    """Clients that follow the README: when a process dies during a request, they retry it once, immediately."""

    def __init__(self, traffic: Traffic) -> None:
        self.outcomes: list[Reply] = []
        self.sent_again = 0
        self._traffic = traffic

    async def ask(self) -> None:
        reply = await self._traffic.ask()
        if reply.status is None or (reply.status in (500, 502) and reply.code is None):
            self.sent_again += 1
            reply = await self._traffic.ask()
        self.outcomes.append(reply)

    async def keep_asking(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self.ask()

    async def until_answered(self, count: int) -> None:
        """Waits for this many answers to photos sent from now on."""
        before = len(self._traffic.replies)
        while sum(reply.code == "ok" for reply in self._traffic.replies[before + CLIENTS :]) < count:
            await self.ask()


async def until(nodes: TwoNodes, placement: Placement, clients: Clients) -> None:
    while await asyncio.to_thread(nodes.placement) != placement:
        await clients.ask()


async def test_a_node_is_lost_under_load_and_every_photo_is_answered(nodes: TwoNodes) -> None:
    assert nodes.placement() == EVERYWHERE
    async with Traffic(nodes.url, small_photo(), timeout_s=120) as traffic:
        clients, over = Clients(traffic), asyncio.Event()
        load = asyncio.gather(*(clients.keep_asking(over) for _ in range(CLIENTS)))
        await clients.until_answered(ENOUGH)
        await asyncio.to_thread(nodes.lose_node)
        await clients.until_answered(ENOUGH)
        await until(nodes, ONLY_ON_HEAD, clients)
        await clients.until_answered(ENOUGH)
        await asyncio.to_thread(nodes.join_node)
        await until(nodes, EVERYWHERE, clients)
        await clients.until_answered(ENOUGH)
        over.set()
        await load
    lost = [reply for reply in clients.outcomes if reply.code != "ok" and not reply.is_polite_refusal]
    assert lost == []
    assert clients.sent_again <= CLIENTS + 1  # only what was in flight when the node died


async def test_a_node_that_is_asked_to_end_under_load_loses_no_photo() -> None:
    """What a spot interruption, a replaced machine or an upgrade does to a worker's pod after its preStop: SIGTERM, and a grace period."""
    with two_nodes(free_port(), as_in_a_pod=True) as nodes:
        async with Traffic(nodes.url, small_photo(), timeout_s=120) as traffic:
            clients, over = Clients(traffic), asyncio.Event()
            load = asyncio.gather(*(clients.keep_asking(over) for _ in range(CLIENTS)))
            await clients.until_answered(ENOUGH)
            ended_s = await asyncio.to_thread(nodes.end_node)
            await clients.until_answered(ENOUGH)
            over.set()
            await load
    assert ended_s is not None
    assert clients.sent_again == 0  # whatever a replica had begun, it answered
    assert [reply for reply in clients.outcomes if reply.code != "ok" and not reply.is_polite_refusal] == []
