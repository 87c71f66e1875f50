"""`shutwatch init`: write an example configuration."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.config.country_code import country_code

DEFAULT_NAME = "shutwatch.toml"


@exit_on(OSError, code=BAD_USAGE, prefix="cannot write ")
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path(DEFAULT_NAME),
    country: Annotated[
        list[str] | None,
        typer.Option(
            help="Watch this country by what others measure, without a vantage; may be given again."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write an example configuration with every setting explained."""
    content = _by_sources(country) if country else _example("example_config.toml")
    try:
        with path.open("wb" if force else "xb") as out:
            out.write(content.encode())
    except FileExistsError as error:
        raise bad_usage(f"{path} exists already: name another, or add --force") from error
    typer.echo(
        f"Wrote {path}. Edit it, then type:\n"
        f"  shutwatch check {path}\n  shutwatch run --config {path}"
    )


def _example(name: str) -> str:
    return files("monitor.config").joinpath(name).read_text(encoding="utf-8")


def _by_sources(countries: list[str]) -> str:
    """A configuration that follows sources about these countries."""
    try:
        codes = [f'"{country_code(one)}"' for one in dict.fromkeys(countries)]
    except ValueError as error:
        raise bad_usage(f"--country: {error.args[0]}") from error
    text = _example("example_sources.toml")
    return text.replace("COUNTRIES", ", ".join(codes)).replace("FIRST", codes[0])
