"""What is held against photos that were there when decoders died, for a while, and without keeping them."""

import pytest

from serve_app.graph.quarantine import ALONE, TOGETHER, Quarantine, Standing
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def quarantine(clock: Clock) -> Quarantine:
    return Quarantine(seconds=60, clock=clock, capacity=2)


async def die(quarantine: Quarantine, clock: Clock, image: bytes, alone: bool = False) -> Standing:
    """One try that ends with its replica, and what the photo is then."""
    began, clock.now = clock.now, clock.now + 1
    await quarantine.died(image, began, alone=alone)
    clock.now += 1
    return await quarantine.standing(image)


async def test_suspicion_grows_from_deaths_in_company_to_deaths_alone(quarantine: Quarantine, clock: Clock) -> None:
    deaths = [False] * TOGETHER + [True] * ALONE
    standings = [await die(quarantine, clock, b"killer", alone) for alone in deaths]
    assert standings == [Standing.CLEAR, Standing.SUSPECT, Standing.SUSPECT, Standing.CONVICTED]
    assert await quarantine.standing(b"another") is Standing.CLEAR


async def test_no_number_of_deaths_in_company_convicts(quarantine: Quarantine, clock: Clock) -> None:
    for _ in range(20):
        await die(quarantine, clock, b"innocent")
    assert await quarantine.standing(b"innocent") is Standing.SUSPECT


async def test_copies_of_a_photo_that_die_with_the_same_replica_count_once(quarantine: Quarantine, clock: Clock) -> None:
    for began in (0.0, 0.1, 0.2):
        clock.now = 1.0
        await quarantine.died(b"popular", began, alone=False)
    assert await quarantine.standing(b"popular") is Standing.CLEAR


async def test_an_answer_clears(quarantine: Quarantine, clock: Clock) -> None:
    for _ in range(TOGETHER):
        await die(quarantine, clock, b"innocent")
    await quarantine.clear(b"innocent")
    assert await die(quarantine, clock, b"innocent") is Standing.CLEAR


async def test_a_photo_is_forgotten_after_its_time_which_each_death_renews(quarantine: Quarantine, clock: Clock) -> None:
    await die(quarantine, clock, b"suspect")
    clock.now = 50.0
    await die(quarantine, clock, b"suspect")
    clock.now = 51.0 + 59.0
    assert await quarantine.standing(b"suspect") is Standing.SUSPECT
    clock.now = 51.0 + 60.0
    assert await quarantine.standing(b"suspect") is Standing.CLEAR


async def test_the_oldest_go_when_it_is_full(quarantine: Quarantine, clock: Clock) -> None:
    for photo in (b"a", b"b", b"c"):
        for _ in range(TOGETHER):
            await die(quarantine, clock, photo)
    assert [await quarantine.standing(photo) for photo in (b"a", b"b", b"c")] == [Standing.CLEAR, Standing.SUSPECT, Standing.SUSPECT]
