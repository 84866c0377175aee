"""`python -m tune_training`: the list of commands. A command's module is imported when the command is used: some take a minute."""

import ast
import importlib.util
import inspect
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

from tune_training.io.options import expanded

DETECTOR = "The person detector"


class Place(NamedTuple):
    """Where a command is.

    Attributes:
        panel: heading that it is listed under, if not with all others.
    """

    module: str
    function: str
    panel: str | None = None


# In the order of the data.
COMMANDS = {
    "run": Place("tune_training.run", "run_command"),
    "prepare": Place("tune_training.data.prepare", "prepare_command"),
    "label-noise": Place("tune_training.label_noise", "label_noise"),
    "train": Place("tune_training.commands", "train"),
    "tune": Place("tune_training.tune.command", "tune"),
    "evaluate": Place("tune_training.evaluate.evaluation", "evaluate"),
    "quantise": Place("tune_training.quantise", "quantise"),
    "publish": Place("tune_training.publish", "publish"),
    "predict": Place("tune_training.predict", "predict_command"),
    "model-card": Place("tune_training.evaluate.card", "model_card"),
    "train-detector": Place("tune_training.commands", "train_detector", DETECTOR),
    "evaluate-detector": Place("tune_training.detector.evaluate", "evaluate_detector", DETECTOR),
}


class Commands(TyperGroup):
    """The group of all commands: what it lists are names and first lines, and what it runs are the commands themselves."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the arguments begin with."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else listed, rest


app = typer.Typer(
    cls=Commands, help="Train and judge the models that the service runs.", no_args_is_help=True, pretty_exceptions_enable=False
)


@app.callback()
def setup() -> None:
    """Train and judge the models that the service runs."""
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for ours in ("tune_training", "serve_app"):  # of libraries only warnings: the rest is for their developers
        logging.getLogger(ours).setLevel(logging.INFO)
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # transformers reads it, too


def load(name: str) -> Any:
    """A command with its options, as Typer runs it."""
    place = COMMANDS[name]
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(expanded(getattr(importlib.import_module(place.module), place.function)))
    command = get_command(alone)
    for option in command.params:
        if isinstance(option.default, str | Path) and (near := _relative(str(option.default))):
            option.show_default = near  # type: ignore[attr-defined] # of options and arguments alike
    return command


def _relative(path: str) -> str | None:
    """The path from the working folder, if it is absolute and below it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if os.path.isabs(path) and Path(path).is_relative_to(here) else None


def _first_line(place: Place) -> str:
    """Of the function's docstring, read from the source: importing it would take its time."""
    found = importlib.util.find_spec(place.module)
    assert found
    assert found.origin
    module = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    function = next(each for each in module.body if isinstance(each, ast.FunctionDef) and each.name == place.function)
    return inspect.cleandoc(ast.get_docstring(function) or "").partition("\n")[0]


def _listed(place: Place) -> Callable[[], None]:
    def listed() -> None: ...

    listed.__doc__ = _first_line(place)
    return listed


for _name, _place in COMMANDS.items():
    app.command(_name, rich_help_panel=_place.panel)(_listed(_place))


# What Typer makes of Ctrl-C, and Ray of SIGTERM, to the exit status that shells give.
_INTERRUPTED = {130: 128 + signal.SIGINT, int(signal.SIGTERM): 128 + signal.SIGTERM}


def main() -> None:
    """Runs a command; an error that the user can mend is a line, not a traceback, and so is an interruption."""
    try:
        app()
    except SystemExit as end:
        if end.code not in _INTERRUPTED:
            raise
        typer.echo("interrupted: run the same command again to go on", err=True)
        raise SystemExit(_INTERRUPTED[end.code]) from end
    except Exception as error:
        line = _line_for(error)
        if line is None:
            raise
        raise SystemExit(f"error: {' '.join(line.split())}") from error


def _line_for(error: Exception) -> str | None:
    """What the user can mend, in words; None for any other error."""
    from pydantic import ValidationError

    from serve_app.checkpoints import CheckpointError
    from serve_app.checkpoints.decision import DecisionError
    from tune_training.io.errors import InputError

    if isinstance(error, ValidationError):  # of a recipe's numbers
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return str(error) if isinstance(error, CheckpointError | DecisionError | InputError | OSError) else None


if __name__ == "__main__":
    main()
