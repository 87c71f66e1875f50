"""`shutwatch demo`: a small invented internet on this machine, watched by the real monitor."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.output import plain_console
from storage.store import StorageError


def demo(
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="Port of the page. 0: any free port."),
    ] = 10100,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            help="Keep all files in this new or empty folder. Default: they are removed.",
            show_default=False,
        ),
    ] = None,
    leave: Annotated[
        bool,
        typer.Option("--exit", help="Exit at the end; code 3 if the monitor missed something."),
    ] = False,
    hold: Annotated[
        bool, typer.Option("--hold", help="Stop where the block is at its largest.")
    ] = False,
    pace: Annotated[
        float, typer.Option("--pace", min=0.1, max=100, help="Factor to run faster by.")
    ] = 1.0,
) -> None:
    """Watch an invented country block X and lift the block: no root, no internet, a minute."""
    # Import all that it runs, which help does without.
    from monitor.demo.run_demo import DemoOptions, show
    from monitor.demo.world import WorldError
    from monitor.server.serve import ListenError

    if leave and hold:
        raise bad_usage("--exit or --hold, not both")
    console = plain_console()
    with _folder(folder) as place, suppress(KeyboardInterrupt):
        options = DemoOptions(
            folder=place,
            port=port,
            pace=pace,
            leave=leave,
            hold=hold,
            keep=folder is not None,
        )
        with exit_on(StorageError), exit_on(WorldError, ListenError, OSError, code=BAD_USAGE):
            outcome = asyncio.run(show(options, console))
        raise typer.Exit(outcome.exit_code(to_the_end=leave))


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """The folder to keep files in; a temporary one is removed at the end."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="shutwatch-demo-") as made:
            yield Path(made)
        return
    with exit_on(OSError, code=BAD_USAGE, prefix="cannot use the folder "):
        wanted.mkdir(parents=True, exist_ok=True)
        empty = not any(wanted.iterdir())
    if not empty:
        raise bad_usage(f"{wanted} is not empty: name a new folder")
    yield wanted
