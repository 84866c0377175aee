"""The search space: read from a YAML file, checked before any work starts, and sampled by Ray Tune.

`epochs` is one number for all trials of a search. The learning rate falls to zero over them, so a trial with a longer schedule is further
from its end after the same number of epochs, and would lose to one that is nearly done. With the share of the schedule as the measure of
time, trials would be compared that have seen different numbers of photos, and the longest would always win in the end: how long to train is
no hyper-parameter, but what one is ready to pay. The original keeps its own number, and is compared by what it comes to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from tune_training.io.errors import InputError
from tune_training.train.recipe import ClassifierRecipe

if TYPE_CHECKING:
    from ray.tune.search.sample import Domain

ORIGINAL = "original"  # the configuration's one entry where nothing varies
DEFAULT_SPACE = Path(__file__).with_name("search_space.yaml")

Name = Literal[
    "learning_rate",
    "weight_decay",
    "layer_decay",
    "label_smoothing",
    "augmentation",
    "mixup",
    "frozen_layers",
    "epochs",
    "batch_size",
    "source_power",
    "balance",
]
EPOCHS = "epochs"
Value = int | float | str


class _Range(BaseModel):
    """One way to sample; exactly one key is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uniform: tuple[float, float] | None = None
    log_uniform: tuple[float, float] | None = None
    choice: Annotated[list[Value], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of uniform, log_uniform and choice")
        low, high = self.uniform or self.log_uniform or (0.0, 1.0)
        if low >= high:
            raise ValueError("the low end must be below the high end")
        if self.log_uniform and low <= 0:
            raise ValueError("log_uniform needs numbers above 0")
        return self

    @property
    def ends(self) -> tuple[float, float] | None:
        """Of the range; None where there are choices."""
        return self.uniform or self.log_uniform

    def domain(self, beside: Sequence[Value] = ()) -> "Domain":
        """As Ray Tune samples it; choices with those that are to be found beside them."""
        from ray import tune  # takes seconds, which `--help` saves

        domain: Domain
        if self.choice:
            domain = tune.choice([*self.choice, *(each for each in beside if each not in self.choice)])
        elif self.uniform:
            domain = tune.uniform(*self.uniform)
        else:
            domain = tune.loguniform(*(self.log_uniform or ()))
        return domain


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    original: dict[Name, Value]
    search: Annotated[dict[Name, _Range | Value], Field(min_length=1)]


@dataclass(frozen=True)
class SearchSpace:
    """What a search varies.

    Attributes:
        original: the configuration that is always tried; it has a value for everything that varies or is fixed.
        ranges: what varies; if nothing does, the search has two trials: the original's, and one of what is fixed.
        fixed: what does not vary, in all trials but the original's.
    """

    original: Mapping[str, Value]
    ranges: Mapping[str, _Range]
    fixed: Mapping[str, Value]

    def domains(self, *, with_original: bool = False) -> dict[str, Any]:
        """What varies, as Ray Tune samples it; with the original's value among the choices, as optuna wants of a point that it is given."""
        from ray import tune

        beside = self.original if with_original else {}
        found = {name: each.domain([beside[name]] if name in beside else []) for name, each in self.ranges.items()}
        return found or {ORIGINAL: tune.grid_search([True, False])}

    def is_original(self, config: Mapping[str, Any]) -> bool:
        """Whether a trial's configuration is the original's."""
        if not self.ranges:
            return bool(config.get(ORIGINAL))
        return all(config.get(name) == value for name, value in self.original.items() if name in self.ranges)

    def recipe(self, config: Mapping[str, Any], seed: int) -> ClassifierRecipe:
        """The recipe of a trial: its configuration, completed by what is fixed. An epoch has as many photos as there are."""
        fixed = self.original if self.is_original(config) else self.fixed
        chosen = {name: value for name, value in config.items() if name in self.ranges}
        numbers: dict[str, Any] = {**_UNNAMED, **fixed, **chosen}
        return ClassifierRecipe(photos_per_epoch=0, seed=seed, **numbers)

    @property
    def epochs(self) -> int:
        """Of every trial but the original's."""
        return int(self.fixed.get(EPOCHS, _UNNAMED[EPOCHS]))

    def largest(self, name: str) -> float:
        """The largest number that any trial has for `name`."""
        searched = self.ranges.get(name)
        values = (searched.choice or searched.ends or ()) if searched else (self.fixed.get(name, _UNNAMED[name]),)
        return max(float(value) for value in (*values, self.original[name]))


# What a file does not name: nothing that would have to be switched off.
_UNNAMED: dict[str, Value] = {
    "learning_rate": 5e-5,
    "weight_decay": 0.0,
    "layer_decay": 1.0,
    "label_smoothing": 0.0,
    "augmentation": 0.0,
    "mixup": 0.0,
    "frozen_layers": 0,
    EPOCHS: 5,
    "batch_size": 16,
    "source_power": 1.0,
    "balance": "",
}


def read_search_space(path: Path) -> SearchSpace:
    """Reads and checks a search space.

    Raises:
        InputError: there is no such file, it is no YAML, or a key or a value is not allowed; the message says which.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = _File.model_validate(document)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such search space. The default is {DEFAULT_SPACE.name} in the package") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: this is no YAML ({error})") from error
    except ValidationError as error:
        raise InputError(f"{path}: the search space is not valid: {_reasons(error)}") from error
    try:
        ranges: dict[str, _Range] = {name: _checked_range(name, each) for name, each in file.search.items() if isinstance(each, _Range)}
        fixed: dict[str, Value] = {name: _checked(name, each) for name, each in file.search.items() if not isinstance(each, _Range)}
        original: dict[str, Value] = {name: _checked(name, each) for name, each in file.original.items()}
    except ValueError as error:
        raise InputError(f"{path}: the search space is not valid: {error}") from error
    return SearchSpace({**_UNNAMED, **fixed, **original}, ranges, fixed)


def _checked_range(name: str, each: _Range) -> _Range:
    if name == EPOCHS:
        raise ValueError(
            "epochs is one number for all trials, which are compared epoch by epoch: write `epochs: 8`, not a range or choices"
        )
    if each.choice:
        return _Range(choice=[_checked(name, value) for value in each.choice])
    found = [_checked(name, end) for end in each.ends or ()]
    if not all(isinstance(value, float) for value in found):
        raise ValueError(f"{name}: whole numbers need a `choice`")
    return each


def _checked(name: str, value: Value) -> Value:
    """The value as a recipe has it: 0.001 for the text that YAML makes of 1e-3."""
    try:
        checked: Value = getattr(TypeAdapter(ClassifierRecipe).validate_python({name: value}), name)
    except ValidationError as error:
        (reason, *_) = error.errors()
        raise ValueError(f"{name}: {value} ({reason['msg'].lower()})") from error
    return checked


def _reasons(error: ValidationError) -> str:
    unknown = sorted({str(each["loc"][1]) for each in error.errors() if each["loc"][-1] == "[key]"})
    if unknown:
        return f"unknown keys {', '.join(unknown)}; known are {', '.join(_UNNAMED)}"
    # pydantic tells of each member of a union: those of plain numbers only confuse where a range was meant.
    told = [each for each in error.errors() if each["loc"][-1] not in ("int", "float", "str")] or error.errors()
    return "; ".join(f"{'.'.join(str(part) for part in each['loc'] if part != '_Range')}: {each['msg']}" for each in told)
