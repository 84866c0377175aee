from pathlib import Path

import pytest

from tune_training.io.errors import InputError
from tune_training.tune.space import DEFAULT_SPACE, SearchSpace, read_search_space

GOOD = """
original: {learning_rate: 5.0e-5, epochs: 3, batch_size: 2}
search:
  learning_rate: {log_uniform: [1.0e-5, 1.0e-3]}
  layer_decay: {uniform: [0.6, 1.0]}
  batch_size: {choice: [8, 16]}
  balance: {choice: ["", "source,age"]}
  epochs: 5
  mixup: 0.2
"""


def written(folder: Path, text: str) -> SearchSpace:
    path = folder / "space.yaml"
    path.write_text(text)
    return read_search_space(path)


def test_the_default_varies_all_that_can_be_varied_but_the_horizon() -> None:
    space = read_search_space(DEFAULT_SPACE)
    assert set(space.ranges) == set(space.original) - {"epochs"}
    assert space.fixed == {"epochs": space.epochs}


def test_the_original_is_what_is_on_record_of_it() -> None:
    space = read_search_space(DEFAULT_SPACE)
    point = {name: space.original[name] for name in space.ranges}
    assert space.is_original(point)
    recipe = space.recipe(point, seed=1)
    assert (recipe.batch_size, recipe.learning_rate, recipe.epochs, recipe.weight_decay) == (2, 2e-5, 5, 0.0)
    assert (recipe.augmentation, recipe.mixup, recipe.balance, recipe.layer_decay) == (0.0, 0.0, "", 1.0)


def test_samples_are_within_the_ranges(tmp_path: Path) -> None:
    domains = written(tmp_path, GOOD).domains()
    assert set(domains) == {"learning_rate", "layer_decay", "batch_size", "balance"}
    for _ in range(50):
        assert 1e-5 <= domains["learning_rate"].sample() <= 1e-3
        assert 0.6 <= domains["layer_decay"].sample() <= 1.0
        assert domains["batch_size"].sample() in (8, 16)
        assert domains["balance"].sample() in ("", "source,age")


def test_the_originals_choice_is_among_the_choices_where_it_is_wanted(tmp_path: Path) -> None:
    domains = written(tmp_path, GOOD).domains(with_original=True)
    assert {domains["batch_size"].sample() for _ in range(200)} == {2, 8, 16}
    assert {domains["balance"].sample() for _ in range(200)} == {"", "source,age"}


def test_a_recipe_is_completed_by_what_is_fixed(tmp_path: Path) -> None:
    config = {"learning_rate": 1e-4, "layer_decay": 0.7, "batch_size": 8, "balance": "source,age"}
    recipe = written(tmp_path, GOOD).recipe(config, seed=3)
    assert (recipe.learning_rate, recipe.layer_decay, recipe.epochs, recipe.mixup, recipe.seed) == (1e-4, 0.7, 5, 0.2, 3)
    assert (recipe.augmentation, recipe.photos_per_epoch, recipe.balanced_by) == (0.0, 0, ("source", "age"))


def test_labels_are_balanced_only_if_the_space_says_so(tmp_path: Path) -> None:
    space = written(tmp_path, "original: {}\nsearch: {source_power: {choice: [0.5, 1.0]}, learning_rate: 1e-3}")
    assert space.recipe({"source_power": 0.5}, 0).balanced_by == ()
    assert space.recipe({"source_power": 0.5}, 0).learning_rate == 1e-3  # which YAML takes for a text


def test_the_original_is_known_by_its_numbers_and_keeps_its_own_fixed_ones(tmp_path: Path) -> None:
    space = written(tmp_path, GOOD.replace("epochs: 3,", "epochs: 3, mixup: 0.0,"))
    point = {"learning_rate": 5e-5, "layer_decay": 1.0, "batch_size": 2, "balance": ""}
    assert space.is_original(point)
    assert (space.recipe(point, 0).mixup, space.recipe(point, 0).epochs) == (0.0, 3)
    assert not space.is_original({**point, "batch_size": 8})
    assert space.epochs == 5
    assert (space.largest("batch_size"), space.largest("frozen_layers")) == (16, 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("mixup: 0.2", "dropout: 0.2"), "unknown keys dropout; known are learning_rate, weight_decay"),
        (("{learning_rate: 5.0e-5", "{lr: 5.0e-5"), "unknown keys lr;"),
        (("log_uniform: [1.0e-5", "log_uniform: [0.0"), "log_uniform needs numbers above 0"),
        (("uniform: [0.6, 1.0]", "uniform: [1.0, 0.6]"), "the low end must be below the high end"),
        (("uniform: [0.6, 1.0]", "uniform: [0.6, 1.5]"), r"layer_decay: 1.5 \(input should be less than or equal to 1\)"),
        (("choice: [8, 16]", "choice: [0, 5]"), r"batch_size: 0 \(input should be greater than or equal to 1\)"),
        (("choice: [8, 16]", "choice: []"), "at least 1 item"),
        (("choice: [8, 16]", "normal: [2, 5]"), "normal: Extra inputs are not permitted"),
        (("choice: [8, 16]", "uniform: [8, 16]"), "batch_size: whole numbers need a `choice`"),
        (("choice: [8, 16]", "choice: [8, many]"), r"batch_size: many \(input should be a valid integer"),
        (("epochs: 5", "epochs: {choice: [2, 5]}"), "epochs is one number for all trials, .*: write `epochs: 8`"),
        (("epochs: 5", "epochs: {uniform: [2, 5]}"), "epochs is one number for all trials"),
        (("learning_rate: 5.0e-5", "learning_rate: -1"), "learning_rate: -1"),
        (("search:", "space:"), "search: Field required"),
        (("original:", "[original:"), "this is no YAML"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(tmp_path: Path, changed: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        written(tmp_path, GOOD.replace(*changed))


def test_where_nothing_varies_there_are_the_original_and_the_fixed_one(tmp_path: Path) -> None:
    space = written(tmp_path, "original: {epochs: 2}\nsearch: {epochs: 3, mixup: 0.2}")
    assert space.domains() == {"original": {"grid_search": [True, False]}}
    first, second = ({"original": each} for each in (True, False))
    assert space.is_original(first)
    assert not space.is_original(second)
    assert [(space.recipe(each, 0).epochs, space.recipe(each, 0).mixup) for each in (first, second)] == [(2, 0.2), (3, 0.2)]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: there is no such search space"):
        read_search_space(tmp_path / "none.yaml")
