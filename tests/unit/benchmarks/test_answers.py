"""When two answers agree, and how answers in the original's format are read."""

from typing import Any

import pytest

from benchmarks.answers import GivenAnswer, code_of, disagreements

MALE = GivenAnswer("ok", {"male": 0.9, "female": 0.1})


@pytest.mark.parametrize(
    ("other", "agrees"),
    [
        (MALE, True),
        (GivenAnswer("ok", {"female": 0.104, "male": 0.896}), True),
        (GivenAnswer("ok", {"female": 0.11, "male": 0.89}), False),
        (GivenAnswer("ok", {"male": 0.9}), False),
        (GivenAnswer("no_person"), False),
    ],
)
def test_answers_agree_on_code_and_probabilities(other: GivenAnswer, agrees: bool) -> None:
    assert MALE.agrees_with(other) is agrees
    assert disagreements([MALE, other], [MALE, MALE]) == ([] if agrees else [1])


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, {"code": "no_person", "prediction": None, "person_count": 3}, "no_person"),
        (200, {"prediction": "male", "person_count": 1}, "ok"),
        (200, {"prediction": None, "person_count": 0}, "no_person"),
        (200, {"prediction": None, "person_count": 1}, "unsure"),
        (200, {"prediction": None, "person_count": 2}, "multiple_people"),
        (500, {"detail": "Internal Server Error"}, "HTTP 500"),
    ],
)
def test_without_a_code_the_originals_fields_say_it(status: int, body: dict[str, Any], code: str) -> None:
    assert code_of(status, body) == code
