"""Lanes: any number together, or one alone, and nobody is forgotten."""

import asyncio
from contextlib import AbstractAsyncContextManager

from serve_app.graph.lanes import Lanes


class Visitor:
    """Goes in when it may, and stays until it is sent away."""

    def __init__(self, lane: AbstractAsyncContextManager[None]) -> None:
        self.inside = False
        self._leave = asyncio.Event()
        self._task = asyncio.create_task(self._visit(lane))

    async def _visit(self, lane: AbstractAsyncContextManager[None]) -> None:
        async with lane:
            self.inside = True
            await self._leave.wait()
        self.inside = False

    async def leave(self) -> None:
        self._leave.set()
        await self._task
        await settle()

    async def give_up(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await settle()


async def settle() -> None:
    """Lets everybody who may move do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_many_are_inside_together() -> None:
    lanes = Lanes()
    visitors = [Visitor(lanes.together()) for _ in range(3)]
    await settle()
    assert all(visitor.inside for visitor in visitors)


async def test_who_is_alone_waits_for_the_others_and_keeps_newcomers_out() -> None:
    lanes = Lanes()
    before = Visitor(lanes.together())
    await settle()
    alone = Visitor(lanes.alone())
    await settle()
    after = Visitor(lanes.together())
    await settle()
    assert (before.inside, alone.inside, after.inside, lanes.open) == (True, False, False, False)
    await before.leave()
    assert (alone.inside, after.inside) == (True, False)
    await alone.leave()
    assert (after.inside, lanes.open) == (True, True)


async def test_one_is_alone_at_a_time_and_all_of_them_before_newcomers() -> None:
    lanes = Lanes()
    first, second = Visitor(lanes.alone()), Visitor(lanes.alone())
    await settle()
    after = Visitor(lanes.together())
    await settle()
    assert (first.inside, second.inside, after.inside) == (True, False, False)
    await first.leave()
    assert (second.inside, after.inside) == (True, False)
    await second.leave()
    assert after.inside


async def test_who_gives_up_waiting_holds_nobody_up() -> None:
    lanes = Lanes()
    before = Visitor(lanes.together())
    await settle()
    alone, after = Visitor(lanes.alone()), Visitor(lanes.together())
    await settle()
    await alone.give_up()
    assert after.inside
    await before.give_up()
    await after.give_up()
    last = Visitor(lanes.alone())
    await settle()
    assert last.inside
