"""`shutwatch init`: write an example configuration."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on

DEFAULT_NAME = "shutwatch.toml"


@exit_on(OSError, code=BAD_USAGE, prefix="cannot write ")
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path(DEFAULT_NAME),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write an example configuration with every setting explained."""
    content = files("monitor.config").joinpath("example_config.toml").read_bytes()
    try:
        with path.open("wb" if force else "xb") as out:
            out.write(content)
    except FileExistsError as error:
        raise bad_usage(f"{path} exists already: name another, or add --force") from error
    typer.echo(
        f"Wrote {path}. Edit it, then type:\n"
        f"  shutwatch check {path}\n  shutwatch run --config {path}"
    )
