"""A deployment's replicas as the ingress sees them: when and how often it checks that one is alive."""

import asyncio

import pytest
from ray.exceptions import ActorDiedError
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import DeploymentUnavailableError

from serve_app.graph.ray_internals import GRPC_MAX_BYTES
from serve_app.graph.replicas import NobodyThereError, ReplicaDiedError, Replicas
from tests.support.handles import Handle, Method


class Deployment(Handle):
    """The handle of a deployment with one method and `describe`, its sign of life."""

    def __init__(self, work: Method, describe: Method) -> None:
        self.work = work
        self.describe = describe


def replicas_of(work: Method, describe: Method) -> Replicas:
    return Replicas(Deployment(work, describe))  # type: ignore[arg-type] # a fake


async def test_one_sign_of_life_is_enough_for_all_who_wait() -> None:
    alive = asyncio.Event()
    describe = Method(alive)
    replicas = replicas_of(Method("done"), describe)
    waiting = [asyncio.create_task(replicas.wait_until_there()) for _ in range(20)]
    await describe.has_calls(1)
    assert not replicas.there
    alive.set()
    await asyncio.gather(*waiting)
    assert replicas.there
    await replicas.wait_until_there(0)
    assert len(describe.calls) == 1


async def test_the_wait_for_somebody_ends() -> None:
    with pytest.raises(NobodyThereError):
        await replicas_of(Method("done"), Method(asyncio.Event())).wait_until_there(0.01)


async def test_an_answer_is_a_sign_of_life() -> None:
    replicas = replicas_of(Method("done"), Method(asyncio.Event()))
    waiting = asyncio.create_task(replicas.wait_until_there())
    assert await replicas.call("work", 1) == "done"
    await waiting


async def test_a_death_raises_the_question_anew() -> None:
    alive = asyncio.Event()
    describe = Method(alive)
    replicas = replicas_of(Method("done", ActorDiedError(), "done"), describe)
    await replicas.call("work")
    with pytest.raises(ReplicaDiedError):
        await replicas.call("work")
    assert not replicas.there
    alive.set()
    await replicas.wait_until_there()


@pytest.mark.parametrize(
    "first",
    [DeploymentUnavailableError(DeploymentID("Detector")), ActorDiedError(), asyncio.Event()],
    ids=["unavailable", "died", "no answer"],
)
async def test_a_question_without_an_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch, first: object) -> None:
    monkeypatch.setattr("serve_app.graph.replicas.PROBE_WAIT_S", 0.01)
    monkeypatch.setattr("serve_app.graph.replicas.PROBE_PAUSE_S", 0.0)
    describe = Method(first, "here")
    await replicas_of(Method("done"), describe).wait_until_there()
    assert len(describe.calls) == 2


async def test_what_the_method_raises_comes_through_and_is_no_death() -> None:
    replicas = replicas_of(Method("done", ValueError("no model")), Method("here"))
    await replicas.call("work")
    with pytest.raises(ValueError, match="no model"):
        await replicas.call("work")
    assert replicas.there


async def test_a_callee_is_told_when_nobody_waits_any_more() -> None:
    work = Method(asyncio.Event())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await replicas_of(work, Method("here")).call("work")
    assert work.pending[0].cancelled


@pytest.mark.parametrize(("size", "by_reference"), [(1000, False), (GRPC_MAX_BYTES, False), (GRPC_MAX_BYTES + 1, True)])
async def test_what_is_too_large_for_grpc_goes_by_reference(size: int, by_reference: bool) -> None:
    class Telling(Handle):
        describe = Method("alive")

        @property
        def work(self) -> Method:
            return Method(self.by_reference)

    assert await Replicas(Telling()).call("work", bytes(size), "spec") is by_reference  # type: ignore[arg-type] # a fake
