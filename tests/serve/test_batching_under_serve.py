"""Batching under load on a real replica: queued items form one batch. With `@serve.batch` alone they do not."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray import serve
from ray.serve.handle import DeploymentHandle

from serve_app.app import deployment
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.settings import Settings
from serve_app.vision.cropping import CropSpec
from serve_app.vision.images import RGB

SPEC = CropSpec(margin=0.0, aspect=1.0, size=4)
CROP = np.zeros((4, 4, 3), dtype=np.uint8)
MAX_BATCH = 16


class GatedClassifier:
    """A fake model: records each batch's size and blocks until the gate is open."""

    crop_spec = SPEC
    decision = ClassifierDecision()

    class checkpoint:  # noqa: N801 - a fake attribute
        name, revision, path = "gated", "1", Path()

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.sizes: list[int] = []

    def blank_crop(self) -> RGB:
        return CROP

    def warm_up(self, crops: Sequence[RGB]) -> None: ...

    def __call__(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        self.sizes.append(len(crops))
        self.started.set()
        assert self.gate.wait(60)
        if any(crop.max() == 255 for crop in crops):
            raise ValueError("poison")
        return [{"male": 0.5, "female": 0.5} for _ in crops]


class Gate:
    """Lets a test control the model inside the replica."""

    model: GatedClassifier

    async def close(self) -> None:
        self.model.gate.clear()
        self.model.started.clear()
        self.model.sizes.clear()

    async def model_is_busy(self) -> bool:
        return await asyncio.to_thread(self.model.started.wait, 30)

    async def open(self) -> None:
        self.model.gate.set()

    async def sizes(self) -> list[int]:
        return self.model.sizes


class Ours(Gate, GenderClassifier):
    def __init__(self) -> None:
        super().__init__(Settings(_env_file=None), MAX_BATCH, threads=1)

    def _load(self, config: dict[str, Any]) -> Any:
        self.model = GatedClassifier()
        return self.model

    async def waiting(self) -> int:
        return len(self._worker._queue)


class Naive(Gate):
    """`@serve.batch` with its usual settings."""

    def __init__(self) -> None:
        self.model = GatedClassifier()
        self.arrived = 0

    async def classify(self, crop: RGB, spec: CropSpec) -> dict[str, float]:
        self.arrived += 1
        return await self.batch(crop)

    async def waiting(self) -> int:
        return self.arrived - 1

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=0.0)
    async def batch(self, crops: list[RGB]) -> list[dict[str, float]]:
        return await asyncio.to_thread(self.model, crops)


async def batch_sizes_of_sixteen_that_waited(handle: DeploymentHandle[Any]) -> list[int]:
    """Sends one item, waits until the model has it, sends 16 more in turn, opens the gate; returns the batch sizes."""
    await handle.close.remote()
    calls = [handle.classify.remote(CROP, SPEC)]
    assert await handle.model_is_busy.remote()
    for count in range(1, MAX_BATCH + 1):
        calls.append(handle.classify.remote(CROP, SPEC))
        while await handle.waiting.remote() < count:
            pass  # each poll is a round trip to the replica
    await handle.open.remote()
    await asyncio.gather(*calls)
    sizes: list[int] = await handle.sizes.remote()
    return sizes


Deploy = Callable[..., str]


async def test_sixteen_that_waited_are_one_batch(deploy: Deploy) -> None:
    deploy(deployment(Ours).options(max_ongoing_requests=100).bind(), "ours")
    assert await batch_sizes_of_sixteen_that_waited(serve.get_app_handle("ours")) == [1, MAX_BATCH]


async def test_with_serve_batch_alone_they_are_not(deploy: Deploy) -> None:
    """Why `batching` exists: once Ray can do this, the test fails and `batching` can go."""
    deploy(serve.deployment(max_ongoing_requests=100)(Naive).bind(), "naive")
    sizes = await batch_sizes_of_sixteen_that_waited(serve.get_app_handle("naive"))
    assert sum(sizes) == MAX_BATCH + 1
    assert max(sizes) < MAX_BATCH


async def test_a_poisoned_crop_fails_alone(deploy: Deploy) -> None:
    deploy(deployment(Ours).options(max_ongoing_requests=100).bind(), "ours")
    handle = serve.get_app_handle("ours")
    await handle.close.remote()
    poison = np.full_like(CROP, 255)
    calls = [handle.classify.remote(crop, SPEC) for crop in (CROP, CROP, poison, CROP)]
    assert await handle.model_is_busy.remote()
    await handle.open.remote()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(result, Exception) for result in results] == [False, False, True, False]
    with pytest.raises(ValueError, match="poison"):
        raise results[2]
