"""A dataclass in a command's signature becomes options, each with its default and its help."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from tune_training.io.options import expanded


@dataclass(frozen=True)
class Drawing:
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 3
    names: Annotated[list[str] | None, typer.Option("--name", help="Names to draw from.")] = None


@dataclass(frozen=True)
class Search:
    minutes: Annotated[float, typer.Option(help="Time budget.", min=0)] = 0
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 3


def run(*arguments: str) -> str:
    app = typer.Typer()

    @app.command()
    @expanded
    def command(target: Annotated[str, typer.Argument()], drawing: Drawing, search: Search) -> None:
        """What it is for."""
        typer.echo(f"{target} {drawing} {search}")

    return CliRunner().invoke(app, arguments, catch_exceptions=False).output


def test_fields_are_options_with_their_defaults() -> None:
    assert run("here").strip() == "here Drawing(seed=3, names=None) Search(minutes=0.0, seed=3)"


def test_an_option_that_two_share_sets_both() -> None:
    assert run("here", "--seed", "5", "--name", "a", "--name", "b", "--minutes", "1.5").strip() == (
        "here Drawing(seed=5, names=['a', 'b']) Search(minutes=1.5, seed=5)"
    )


def test_the_help_and_the_bounds_are_the_fields_own() -> None:
    assert "Seed of the draw." in run("--help")
    assert "What it is for." in run("--help")
    assert "greater than or equal to 0" in run("here", "--minutes=-1")
