"""Parts of the graph are killed under load: calls are retried; where that is impossible, the client is asked to retry."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import count
from typing import Any

import httpx
import pytest
import ray
from ray import serve
from ray.util import list_named_actors

from serve_app.settings import Settings
from tests.serve.conftest import until_healthy
from tests.support import simulated
from tests.support.trying_again import PersistentClient

NAME = "death"
LANES = 4
MODELS = ("Detector", "Classifier")

Deploy = Callable[..., str]
Deployed = Callable[..., contextlib.AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def deployed(deploy: Deploy) -> Deployed:
    """Runs the simulated graph; yields an HTTP client once it is healthy."""

    @contextlib.asynccontextmanager
    async def run(**options: Any) -> AsyncIterator[httpx.AsyncClient]:
        url = await asyncio.to_thread(deploy, simulated.graph(Settings(_env_file=None), **options), NAME)
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            await until_healthy(client)
            yield client

    return run


def actors(prefix: str) -> set[str]:
    """Names of Serve's living actors with this prefix."""
    return {actor["name"] for actor in list_named_actors(all_namespaces=True) if actor["name"].startswith(prefix)}


def replicas(deployment: str) -> set[str]:
    return actors(f"SERVE_REPLICA::{NAME}#{deployment}#")


def kill(actor: str, *, no_restart: bool = True) -> None:
    ray.kill(ray.get_actor(actor, namespace="serve"), no_restart=no_restart)


async def replaced(deployment: str, victim: str) -> None:
    """Waits until another replica has replaced the one that was killed."""
    while True:
        states = serve.status().applications[NAME].deployments[deployment]
        names = replicas(deployment)
        if victim not in names and states.status == "HEALTHY" and states.replica_states == {"RUNNING": len(names)}:
            return
        await asyncio.sleep(0.05)


class Load:
    """Sends requests continuously from a few tasks, each with a new photo; keeps the answers."""

    def __init__(self, predict: Callable[[bytes], Any]) -> None:
        self.answers: list[httpx.Response] = []
        self._predict = predict
        self._numbers = count()
        self._stopped = False
        self._lanes = [asyncio.create_task(self._ask()) for _ in range(LANES)]

    async def _ask(self) -> None:
        while not self._stopped:
            self.answers.append(await self._predict(b"photo %d" % next(self._numbers)))

    async def more(self, answers: int = 20, status: int = 200) -> None:
        """Waits for this many more answers with this status."""
        wanted = self.statuses()[status] + answers
        while self.statuses()[status] < wanted:
            done, _ = await asyncio.wait(self._lanes, timeout=0.05)
            for lane in done:
                lane.result()

    def statuses(self) -> Counter[int]:
        return Counter(answer.status_code for answer in self.answers)

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._lanes)


def plain(client: httpx.AsyncClient) -> Callable[[bytes], Any]:
    return lambda image: client.post("/predict", content=image, headers={"content-type": "image/jpeg"})


async def kill_one_after_the_other(load: Load, *deployments: str) -> None:
    """Kills one replica of each deployment in turn; before the next, it is replaced and photos are answered."""
    for deployment in deployments:
        await load.more()
        victim = min(replicas(deployment))
        kill(victim)
        await replaced(deployment, victim)
    await load.more()
    await load.stop()


@pytest.mark.parametrize(("by_reference", "victims"), [(True, MODELS[:1]), (False, MODELS)], ids=["by reference", "over gRPC"])
async def test_with_two_replicas_no_photo_is_lost(deployed: Deployed, by_reference: bool, victims: Sequence[str]) -> None:
    async with deployed(replicas=2, by_reference=by_reference) as client:
        load = Load(plain(client))
        await kill_one_after_the_other(load, *victims)
        assert load.statuses().keys() == {200}


async def test_with_one_replica_a_photo_is_answered_or_may_be_sent_again(deployed: Deployed) -> None:
    async with deployed(replicas=1) as client:
        load = Load(plain(client))
        await kill_one_after_the_other(load, *MODELS)
        assert load.statuses().keys() <= {200, 503}
        assert all(answer.headers["retry-after"] for answer in load.answers if answer.status_code == 503)


async def test_an_ingress_replica_takes_only_what_it_holds_and_trying_again_helps(deployed: Deployed) -> None:
    async with deployed(ingresses=2) as client:
        persistent = PersistentClient(client)
        load = Load(persistent.predict)
        await kill_one_after_the_other(load, "Ingress")
        assert load.statuses().keys() == {200}
        assert len(persistent.failures) <= LANES


async def test_a_proxy_takes_only_what_it_holds_and_trying_again_helps(deployed: Deployed) -> None:
    async with deployed() as client:
        persistent = PersistentClient(client)
        load = Load(persistent.predict)
        await load.more()
        (proxy,) = actors("SERVE_PROXY_ACTOR")
        kill(proxy)
        while not persistent.failures:
            await load.more(1)
        await load.more()
        await load.stop()
        assert load.statuses().keys() == {200}


async def test_without_the_controller_answers_go_on(deployed: Deployed) -> None:
    async with deployed() as client:
        load = Load(plain(client))
        await load.more()
        kill("SERVE_CONTROLLER_ACTOR", no_restart=False)
        await load.more(100)
        await load.stop()
        assert load.statuses().keys() == {200}
        while serve.status().applications[NAME].status != "RUNNING":
            pass  # each poll is a round trip to the controller


async def test_a_photo_that_kills_is_refused_and_its_neighbours_are_answered(deployed: Deployed) -> None:
    async with deployed(replicas=2) as client:
        load = Load(plain(client))
        predict = plain(client)
        answer = await predict(simulated.KILLER)
        while answer.status_code == 503:  # the deadline came first
            answer = await predict(simulated.KILLER)
        await load.more()
        await load.stop()
        assert answer.json()["code"] == "corrupt_image"
        # It may have killed both replicas, and the next one may be long in coming.
        assert load.statuses().keys() <= {200, 503}
        assert all(answer.json()["code"] in ("unsure", "ok", "overloaded") for answer in load.answers)
