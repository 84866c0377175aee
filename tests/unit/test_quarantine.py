"""Photos that killed decoders are remembered, for a while, and without being kept."""

from serve_app.quarantine import Quarantine


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_photo_is_held_for_its_time_only() -> None:
    clock = Clock()
    quarantine = Quarantine(seconds=60, clock=clock)
    await quarantine.add(b"poison")
    assert await quarantine.holds(b"poison")
    assert not await quarantine.holds(b"another")
    clock.now = 60.0
    assert not await quarantine.holds(b"poison")


async def test_another_death_renews_the_time() -> None:
    clock = Clock()
    quarantine = Quarantine(seconds=60, clock=clock)
    await quarantine.add(b"poison")
    clock.now = 50.0
    await quarantine.add(b"poison")
    clock.now = 100.0
    assert await quarantine.holds(b"poison")


async def test_the_oldest_go_when_it_is_full() -> None:
    quarantine = Quarantine(seconds=60, clock=Clock(), capacity=2)
    for photo in (b"a", b"b", b"c"):
        await quarantine.add(photo)
    assert [await quarantine.holds(photo) for photo in (b"a", b"b", b"c")] == [False, True, True]
