"""Admission: what does not fit is refused at once, and what was held is always given back."""

import asyncio

import pytest

from serve_app.admission import Budget
from serve_app.codes import Code
from serve_app.faults import Refused


def test_holds_up_to_its_limit() -> None:
    budget = Budget(3)
    with budget.hold(2), budget.hold(1):
        assert budget.in_use == 3
    assert budget.in_use == 0


def test_refuses_what_does_not_fit_whole_and_keeps_what_is_held() -> None:
    budget = Budget(3)
    with budget.hold(2):
        with pytest.raises(Refused) as refused, budget.hold(2):
            pytest.fail("it was admitted")
        assert refused.value.code is Code.OVERLOADED
        assert budget.in_use == 2
    assert budget.in_use == 0


def test_takes_more_while_held() -> None:
    budget = Budget(3)
    with budget.hold() as take:
        take(1)
        take(2)
        assert budget.in_use == 3
        with pytest.raises(Refused):
            take(1)
        assert budget.in_use == 3
    assert budget.in_use == 0


def test_an_exception_gives_back() -> None:
    budget = Budget(3)
    with pytest.raises(ValueError, match="broken"), budget.hold(3):
        raise ValueError("broken")
    assert budget.in_use == 0


async def test_cancellation_gives_back() -> None:
    budget = Budget(1)
    entered = asyncio.Event()

    async def work() -> None:
        with budget.hold(1):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    assert budget.in_use == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert budget.in_use == 0


async def test_concurrent_holders_beyond_the_limit_are_refused_while_the_others_work() -> None:
    budget = Budget(4)
    release = asyncio.Event()

    async def work() -> bool:
        try:
            with budget.hold(1):
                await release.wait()
                return True
        except Refused:
            return False

    tasks = [asyncio.create_task(work()) for _ in range(10)]
    refused, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert budget.in_use == 4
    release.set()
    assert sorted(await asyncio.gather(*tasks)) == [False] * 6 + [True] * 4
    assert all(task.result() is False for task in refused)
    assert budget.in_use == 0
