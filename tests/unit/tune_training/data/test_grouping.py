import pytest

from tune_training.data.grouping import grouping


def test_ages_are_put_in_bands() -> None:
    ages = ["0", "12", "13", "19", "20", "69.5", "70", "116", ""]
    assert grouping("age", ages).tolist() == ["0-12", "0-12", "13-19", "13-19", "20-29", "60-69", "70+", "70+", ""]


def test_other_numbers_with_many_values_are_put_in_quarters() -> None:
    names = grouping("brightness", [str(value) for value in range(100)])
    assert sorted({name: int((names == name).sum()) for name in set(names.tolist())}.values()) == [25, 25, 25, 25]


@pytest.mark.parametrize("values", [["a", "b", ""], ["1", "2", "1"], ["1", "x", ""], ["", "", ""]])
def test_few_values_and_words_are_groups_themselves(values: list[str]) -> None:
    assert grouping("race", values).tolist() == values
