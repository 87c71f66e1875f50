"""Without pydantic, typed words become the same values as typer makes of them, and mistakes get the
same answers."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from monitor.cli import typed_values

SHOWN: list[object] = []


class Colour(StrEnum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


def _command(
    file: Path,
    words: Annotated[list[str] | None, typer.Argument()] = None,
    text: str = "",
    maybe: str | None = None,
    folder: Annotated[Path | None, typer.Option()] = None,
    colour: Colour = Colour.RED,
    colours: Annotated[list[Colour] | None, typer.Option()] = None,
    paths: Annotated[list[Path] | None, typer.Option()] = None,
    number: Annotated[int, typer.Option(min=1, max=9)] = 5,
    share: float = 1.0,
    flag: bool = False,
) -> None:
    values = (file, words, text, maybe, folder, colour, colours, paths, number, share, flag)
    SHOWN[:] = [values, [type(one) for one in values]]


def _outcome(typed: str) -> tuple[object, ...]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(_command)
    SHOWN.clear()
    done = CliRunner().invoke(app, typed.split())
    return done.exit_code, done.stderr, *SHOWN


@pytest.mark.parametrize(
    "typed",
    [
        "a.txt",
        "- one two",
        ". --text x --maybe y --folder /no/such",
        "/etc/passwd --colour blue --colours red --colours blue --paths a --paths /etc",
        "a --number 9 --share 2 --flag",
        "a --share 0.5",
        # Mistakes.
        "",
        "a --colour green",
        "a --colours red --colours Red",
        "a --number 10",
        "a --number x",
        "a --share x",
        "a --flag=maybe",
        "a --unknown",
    ],
)
def test_values_and_answers_are_those_of_typer(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command above has a parameter of each kind."""
    outcomes = []
    for maker in (typed_values._Typed, typed_values._by_typer):
        monkeypatch.setattr("typer.core.build_runtime_param", maker)
        outcomes.append(_outcome(typed))
    assert outcomes[0] == outcomes[1]
