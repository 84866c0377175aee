"""Small photos never wait for large ones, and only so many large ones wait."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from serve_app.codes import Code
from serve_app.vision.decoding import DecodeLimits, EncodedPhoto, ImageRefused
from serve_app.vision.decoding_lanes import SMALL_WORK, DecodingLanes
from serve_app.vision.images import RGB
from tests.support.images import FORMATS, encode, picture

LIMITS = DecodeLimits(FORMATS, max_pixels=50_000_000)
SMALL = encode(picture(), "PNG")
LARGE = encode(picture(2000, 1500), "PNG")
LARGE_PIXELS = 2000 * 1500


class Gate:
    """Holds large photos in their thread until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        self.names: list[str] = []

    def __call__(self, photo: RGB) -> tuple[int, ...]:
        self.names.append(threading.current_thread().name)
        self.entered.release()
        self.opened.wait()
        return photo.shape


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


async def held(lanes: DecodingLanes, gate: Gate) -> "asyncio.Task[tuple[int, ...]]":
    """A large photo that has reached its thread, and stays there."""
    task = asyncio.create_task(lanes.decode(LARGE, gate))
    await asyncio.to_thread(gate.entered.acquire)
    return task


async def until(lanes: DecodingLanes, large_work: int) -> None:
    """Waits until so many pixels are decoded or waiting."""
    while lanes.large_work != large_work:  # noqa: ASYNC110 # threads count them
        await asyncio.sleep(0)


async def test_small_photos_and_crops_pass_large_ones_that_wait(gate: Gate) -> None:
    lanes = DecodingLanes(LIMITS, 1, 100 * LARGE_PIXELS)
    large = [await held(lanes, gate), *(asyncio.create_task(lanes.decode(LARGE, gate)) for _ in range(7))]
    for _ in range(5):
        assert await lanes.decode(SMALL, lambda photo: photo.shape) == (32, 48, 3)
        assert await lanes.run(max, 1, 2) == 2
    assert not any(task.done() for task in large)
    gate.opened.set()
    assert set(await asyncio.gather(*large)) == {(750, 1000, 3)}
    assert len(set(gate.names)) == 1, "one at a time"


async def test_large_photos_need_a_place_for_which_nothing_counts_as_work() -> None:
    inside: list[str] = []

    @contextmanager
    def context(name: str) -> Iterator[None]:
        inside.append(name)
        yield
        inside.remove(name)

    lanes = DecodingLanes(LIMITS, 1, 100 * LARGE_PIXELS, lambda: context("working"), lambda: context("place"))
    assert await lanes.decode(LARGE, lambda photo: list(inside)) == ["place", "working"]
    assert await lanes.decode(SMALL, lambda photo: list(inside)) == ["working"]
    assert inside == []


async def test_large_photos_that_do_not_fit_are_refused_as_overloaded(gate: Gate) -> None:
    lanes = DecodingLanes(LIMITS, 1, 2 * LARGE_PIXELS)
    first = await held(lanes, gate)
    second = asyncio.create_task(lanes.decode(LARGE, gate))
    await until(lanes, 2 * LARGE_PIXELS)
    with pytest.raises(ImageRefused) as refused:
        await lanes.decode(LARGE, gate)
    assert refused.value.code is Code.OVERLOADED
    assert await lanes.decode(SMALL, lambda photo: photo.shape) == (32, 48, 3)
    gate.opened.set()
    await asyncio.gather(first, second)
    assert await lanes.decode(LARGE, gate) == (750, 1000, 3)
    assert lanes.large_work == 0


async def test_one_large_photo_is_decoded_whatever_the_limit() -> None:
    assert await DecodingLanes(LIMITS, 1, 1).decode(LARGE, lambda photo: photo.shape) == (750, 1000, 3)


async def test_a_photo_counts_until_its_thread_is_done_with_it(gate: Gate) -> None:
    lanes = DecodingLanes(LIMITS, 1, LARGE_PIXELS)
    large = await held(lanes, gate)
    large.cancel()
    await asyncio.wait([large])
    assert lanes.large_work == LARGE_PIXELS
    gate.opened.set()
    assert await lanes.decode(SMALL, lambda photo: photo.shape) == (32, 48, 3)
    await until(lanes, 0)


async def test_a_photo_that_is_given_up_while_it_waits_is_not_decoded(gate: Gate) -> None:
    lanes = DecodingLanes(LIMITS, 1, 10 * LARGE_PIXELS)
    first = await held(lanes, gate)
    second = asyncio.create_task(lanes.decode(LARGE, gate))
    await until(lanes, 2 * LARGE_PIXELS)
    second.cancel()
    await asyncio.wait([second])
    assert lanes.large_work == LARGE_PIXELS
    gate.opened.set()
    await first
    assert len(gate.names) == 1


@pytest.mark.parametrize("data", [LARGE[:2000], b"no photo"])
async def test_refusals_come_from_either_lane(data: bytes) -> None:
    lanes = DecodingLanes(LIMITS, 1, LARGE_PIXELS)
    with pytest.raises(ImageRefused):
        await lanes.decode(data, lambda photo: photo.shape)
    assert lanes.large_work == 0


def work(data: bytes) -> int:
    """The cost of decoding a file."""
    return EncodedPhoto(data, LIMITS).work


def test_what_is_large() -> None:
    """A phone's usual photo is small; what is decoded whole is large from two megapixels on."""
    assert work(encode(picture(4032, 3024), "JPEG")) < SMALL_WORK
    assert work(encode(picture(1600, 1200), "PNG")) < SMALL_WORK
    for data in (encode(picture(1920, 1200), "PNG"), encode(picture(1920, 1200), "WEBP", method=0), encode(picture(1920, 1200), "HEIF")):
        assert work(data) > SMALL_WORK
    assert work(encode(picture(2000, 1500), "JPEG", progressive=True)) > SMALL_WORK
    assert work(encode(picture(48, 32), "AVIF")) > SMALL_WORK, "the picture inside may be larger than the file says"
