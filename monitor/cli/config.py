"""`shutwatch init`, `check` and `catalog`: write a configuration, check it, see what it watches."""

import os
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import catalog
from monitor.cli.config_summary import print_summary
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.config.load import (
    CONFIG_VARIABLE,
    ConfigError,
    default_settings,
    find_config,
    load_config,
)
from monitor.config.settings import Settings

DEFAULT_NAME = "shutwatch.toml"


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def init(
        path: Annotated[Path, typer.Argument(help="File to write.")] = Path(DEFAULT_NAME),
        force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    ) -> None:
        """Write an example configuration with every setting explained."""
        write_example(path, force=force)
        typer.echo(
            f"Wrote {path}. Change it to fit, then type:\n"
            f"  shutwatch check {path}\n  shutwatch run --config {path}"
        )

    @app.command()
    def check(
        path: Annotated[
            Path | None,
            typer.Argument(
                metavar="[FILE]",
                help=f"Configuration to check. Default: ${CONFIG_VARIABLE}.",
                show_default=False,
            ),
        ] = None,
    ) -> None:
        """List every mistake in a configuration, or what it would watch and from where."""
        print_summary(checked(find_config(path, os.environ)))

    @app.command("catalog")
    def show_catalog(
        config: ConfigOption = None,
        json: Annotated[
            bool, typer.Option("--json", help="One JSON document on standard output.")
        ] = False,
    ) -> None:
        """Show every platform, role, endpoint and reference: all shipped, or those of a file."""
        named = find_config(config, os.environ) is not None
        catalog.show(load_settings(config).catalog if named else None, json=json)


def write_example(path: Path, *, force: bool) -> None:
    """Write the example to `path`. Exits when it is there already or cannot be written."""
    content = files("monitor.config").joinpath("example_config.toml").read_bytes()
    try:
        with path.open("wb" if force else "xb") as out:
            out.write(content)
    except FileExistsError as error:
        raise fail(f"{path} exists already: name another, or add --force", BAD_USAGE) from error
    except OSError as error:
        raise fail(f"cannot write {path}: {error.strerror}", BAD_USAGE) from error


def checked(path: Path | None) -> Settings:
    """The settings in the file. Prints every problem and exits when it has any."""
    if path is None:
        typer.echo(
            "No file named, so this is what runs without one. "
            "`shutwatch init` writes an example to start from.\n"
        )
        return default_settings()
    try:
        return load_config(path, os.environ)
    except ConfigError as error:
        number = len(error.problems)
        typer.echo(f"{path}: {number} {'problem' if number == 1 else 'problems'}", err=True)
        for problem in error.problems:
            typer.echo(f"\n{problem}", err=True)
        raise typer.Exit(BAD_USAGE) from error
