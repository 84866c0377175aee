"""Many who ask at once, or soon after each other, share one answer."""

import asyncio

import pytest

from serve_app.http.shared_answer import TRUST_S, SharedAnswer
from tests.support.clock import Clock


class Question:
    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.raises: Exception | None = None

    async def __call__(self) -> int:
        self.asked += 1
        asked = self.asked
        await self.may_answer.wait()
        if self.raises:
            raise self.raises
        return asked


@pytest.fixture
def question() -> Question:
    return Question()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answer(question: Question, clock: Clock) -> SharedAnswer[int]:
    return SharedAnswer(question, clock)


async def test_the_question_is_asked_once_a_second(answer: SharedAnswer[int], clock: Clock) -> None:
    assert [await answer(), await answer()] == [1, 1]
    clock.now += TRUST_S
    assert [await answer(), await answer()] == [2, 2]


async def test_one_question_flies_at_a_time_however_long(answer: SharedAnswer[int], question: Question, clock: Clock) -> None:
    question.may_answer.clear()
    waiting = [asyncio.create_task(answer()) for _ in range(10)]
    await asyncio.sleep(0)
    clock.now += 60
    waiting.append(asyncio.create_task(answer()))
    await asyncio.sleep(0)
    question.may_answer.set()
    assert await asyncio.gather(*waiting) == [1] * 11
    assert await answer() == 1


async def test_one_who_leaves_does_not_take_the_answer_along(answer: SharedAnswer[int], question: Question) -> None:
    question.may_answer.clear()
    first, second = asyncio.create_task(answer()), asyncio.create_task(answer())
    await asyncio.sleep(0)
    first.cancel()
    question.may_answer.set()
    assert await second == 1


async def test_a_failure_is_told_and_not_kept(answer: SharedAnswer[int], question: Question) -> None:
    question.raises = ValueError("no")
    told = await asyncio.gather(answer(), answer(), return_exceptions=True)
    assert [str(error) for error in told] == ["no", "no"]
    question.raises = None
    assert await answer() == 2
