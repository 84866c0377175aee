"""Options of a command as a dataclass: each is written once, with its help, and used by every command that takes it."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints


def expanded(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command as Typer takes it: a parameter that is a dataclass becomes one option for each of its fields.

    The fields are annotated as Typer wants them and have defaults. Two dataclasses may share a field: its option then sets both.
    """
    hints = get_type_hints(command, include_extras=True)
    grouped = {name: hints[name] for name in inspect.signature(command).parameters if is_dataclass(hints[name])}
    parameters: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        for each in _options(grouped[name]) if name in grouped else [parameter.replace(annotation=hints[name])]:
            parameters.setdefault(each.name, each.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def run(**values: Any) -> Any:
        built = {name: group(**{field.name: values[field.name] for field in fields(group)}) for name, group in grouped.items()}
        used = {field.name for group in grouped.values() for field in fields(group)}
        return command(**{name: value for name, value in values.items() if name not in used}, **built)

    run.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined] # what inspect.signature reads first
    run.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    return run


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    defaults = {field.name: field.default_factory() if field.default_factory is not MISSING else field.default for field in fields(group)}
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=hints[name]) for name, value in defaults.items()
    ]
