"""Replacing a model: the new one is loaded beside the old one, swapped in one step, and never swapped in if broken."""

import asyncio
import threading
from typing import Any

import pytest

from serve_app.graph.model_slot import ModelSlot


class Loader:
    """Loads names; `broken` fails; loading waits while `gate` is closed."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.warmed: list[str] = []
        self.loaded: list[str] = []

    def load(self, config: dict[str, Any]) -> str:
        assert self.gate.wait(30)
        name = str(config["model_uri"])
        self.loaded.append(name)
        if name == "broken":
            raise ValueError("s3://broken/: no such bucket")
        return name

    async def warm(self, model: str) -> None:
        self.warmed.append(model)


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def slot(loader: Loader) -> ModelSlot[str]:
    return ModelSlot(loader.load, loader.warm)


async def test_the_first_model_is_there_and_warm_when_apply_returns(slot: ModelSlot[str], loader: Loader) -> None:
    with pytest.raises(RuntimeError, match="no model"):
        _ = slot.current
    await slot.apply({"model_uri": "a"})
    assert slot.current == "a"
    assert loader.warmed == ["a"]


async def test_a_broken_first_model_is_an_error(slot: ModelSlot[str]) -> None:
    with pytest.raises(ValueError, match="s3://broken/"):
        await slot.apply({"model_uri": "broken"})


async def test_the_old_model_answers_until_the_new_one_is_ready(slot: ModelSlot[str], loader: Loader) -> None:
    await slot.apply({"model_uri": "a"})
    loader.gate.clear()
    await slot.apply({"model_uri": "b"})
    assert slot.current == "a"
    loader.gate.set()
    await slot.settled()
    assert slot.current == "b"
    assert loader.warmed == ["a", "b"]


async def test_when_the_exchange_fails_the_old_model_stays_and_the_fault_is_told(slot: ModelSlot[str]) -> None:
    await slot.apply({"model_uri": "a"})
    await slot.apply({"model_uri": "broken"})
    await slot.settled()
    assert slot.current == "a"
    assert slot.fault == "s3://broken/: no such bucket"
    await slot.apply({"model_uri": "b"})
    await slot.settled()
    assert slot.current == "b"
    assert slot.fault is None


async def test_an_exchange_that_failed_is_tried_again_until_it_succeeds() -> None:
    tries: list[str] = []

    def load(config: dict[str, Any]) -> str:
        tries.append(config["model_uri"])
        if len(tries) in (2, 3):
            raise ValueError("access is denied")
        return str(config["model_uri"])

    async def warm(model: str) -> None:
        pass

    slot = ModelSlot(load, warm, first_pause_s=0.0)
    await slot.apply({"model_uri": "a"})
    await slot.apply({"model_uri": "b"})
    assert slot._pending
    await slot._pending
    assert slot.current == "b"
    assert tries == ["a", "b", "b", "b"]
    assert slot.fault is None


async def test_another_wish_does_not_wait_for_the_next_try(slot: ModelSlot[str], loader: Loader) -> None:
    await slot.apply({"model_uri": "a"})
    await slot.apply({"model_uri": "broken"})
    await slot.settled()
    await slot.apply({"model_uri": "b"})
    await slot.settled()
    assert slot.current == "b"
    assert loader.loaded == ["a", "broken", "b"]


async def test_of_several_wishes_the_last_one_wins(slot: ModelSlot[str], loader: Loader) -> None:
    await slot.apply({"model_uri": "a"})
    loader.gate.clear()
    for name in "bcd":
        await slot.apply({"model_uri": name})
        await asyncio.sleep(0)
    loader.gate.set()
    await slot.settled()
    assert slot.current == "d"
