"""The search space: read from a YAML file, checked before any work starts, and sampled by Ray Tune."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from ray import tune
from ray.tune.search.sample import Domain

from tune_training.data.table import SOURCE
from tune_training.io.errors import InputError
from tune_training.train.recipe import ClassifierRecipe

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
]
Number = int | float


class _Range(BaseModel):
    """One way to sample; exactly one key is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uniform: tuple[float, float] | None = None
    log_uniform: tuple[float, float] | None = None
    choice: Annotated[list[Number], Field(min_length=1)] | None = None

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
    def values(self) -> list[Number]:
        """The ends of the range, or the choices."""
        return self.choice or list(self.uniform or self.log_uniform or ())

    def domain(self) -> Domain:
        """As Ray Tune samples it."""
        domain: Domain
        if self.choice:
            domain = tune.choice(self.choice)
        elif self.uniform:
            domain = tune.uniform(*self.uniform)
        else:
            domain = tune.loguniform(*self.values)
        return domain


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    original: dict[Name, Number]
    search: Annotated[dict[Name, _Range | Number], Field(min_length=1)]


@dataclass(frozen=True)
class SearchSpace:
    """What a search varies.

    Attributes:
        original: the configuration that is always tried; it has a value for everything that varies or is fixed.
        ranges: what varies; if nothing does, the search has two trials: the original's, and one of what is fixed.
        fixed: what does not vary, in all trials but the original's.
    """

    original: Mapping[str, Number]
    ranges: Mapping[str, _Range]
    fixed: Mapping[str, Number]

    def domains(self) -> dict[str, Any]:
        """What varies, as Ray Tune samples it."""
        return {name: each.domain() for name, each in self.ranges.items()} or {ORIGINAL: tune.grid_search([True, False])}

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
        balance = "" if numbers["source_power"] == 1 else SOURCE
        return ClassifierRecipe(photos_per_epoch=0, balance=balance, seed=seed, **numbers)

    @property
    def max_epochs(self) -> int:
        """Most epochs that a trial may have."""
        return int(max(self.values("epochs")))

    def values(self, name: str) -> list[Number]:
        """The extreme values of `name`: the ends of its range, its choices, the original's, the fixed one."""
        found = list(self.ranges[name].values) if name in self.ranges else [self.fixed.get(name, _UNNAMED[name])]
        return [*found, *([self.original[name]] if name in self.original else [])]


# What a file does not name: nothing that would have to be switched off.
_UNNAMED: dict[str, Number] = {
    "learning_rate": 5e-5,
    "weight_decay": 0.0,
    "layer_decay": 1.0,
    "label_smoothing": 0.0,
    "augmentation": 0.0,
    "mixup": 0.0,
    "frozen_layers": 0,
    "epochs": 3,
    "batch_size": 16,
    "source_power": 1.0,
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
    ranges: dict[str, _Range] = {name: each for name, each in file.search.items() if isinstance(each, _Range)}
    fixed: dict[str, Number] = {name: each for name, each in file.search.items() if not isinstance(each, _Range)}
    original: dict[str, Number] = {str(name): value for name, value in file.original.items()}
    space = SearchSpace({**_UNNAMED, **fixed, **original}, ranges, fixed)
    for name in _UNNAMED:
        for value in space.values(name):
            _check(path, name, value)
    return space


def _check(path: Path, name: str, value: Number) -> None:
    try:
        TypeAdapter(ClassifierRecipe).validate_python({name: value})
    except ValidationError as error:
        (reason, *_) = error.errors()
        raise InputError(f"{path}: the search space is not valid: {name}: {value} ({reason['msg'].lower()})") from error


def _reasons(error: ValidationError) -> str:
    unknown = sorted({str(each["loc"][1]) for each in error.errors() if each["loc"][-1] == "[key]"})
    if unknown:
        return f"unknown keys {', '.join(unknown)}; known are {', '.join(_UNNAMED)}"
    # pydantic tells of each member of a union: those of plain numbers only confuse where a range was meant.
    told = [each for each in error.errors() if each["loc"][-1] not in ("int", "float")] or error.errors()
    return "; ".join(f"{'.'.join(str(part) for part in each['loc'] if part != '_Range')}: {each['msg']}" for each in told)
