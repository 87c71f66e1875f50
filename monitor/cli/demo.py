"""`shutwatch demo`: a small invented internet on this machine, and the monitor watching it."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.console import plain_console
from monitor.cli.options import BAD_USAGE, fail
from monitor.server.serve import ListenError
from storage.store import StorageError


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def demo(
        port: Annotated[
            int,
            typer.Option("--port", min=0, max=65535, help="Of the page. 0: any that is free."),
        ] = 10100,
        folder: Annotated[
            Path | None,
            typer.Option(
                "--folder",
                help="Keep all files here; it must be empty or new. Default: they are removed.",
                show_default=False,
            ),
        ] = None,
        leave: Annotated[
            bool, typer.Option("--exit", help="End when the story has; 3 if it was not found.")
        ] = False,
        hold: Annotated[
            bool, typer.Option("--hold", help="Stand still while the block is at its height.")
        ] = False,
        pace: Annotated[
            float,
            typer.Option("--pace", min=0.1, max=100, help="How many times faster to tell it."),
        ] = 1.0,
    ) -> None:
        """Watch an invented country block X, and lift the block: no root, no internet, a minute."""
        # Loaded here, since no other command needs servers of its own.
        from monitor.demo.run_demo import Wish, show
        from monitor.demo.world import WorldError

        if leave and hold:
            raise fail("--exit or --hold, not both", BAD_USAGE)
        console = plain_console()
        with _folder(folder) as place, suppress(KeyboardInterrupt):
            wish = Wish(
                folder=place,
                port=port,
                pace=pace,
                leave=leave,
                hold=hold,
                keep=folder is not None,
            )
            try:
                outcome = asyncio.run(show(wish, console))
            except (WorldError, ListenError, OSError) as error:
                raise fail(str(error), BAD_USAGE) from error
            except StorageError as error:
                raise fail(str(error)) from error
            raise typer.Exit(outcome.exit_code(to_the_end=leave))


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """The folder to keep files in; one of our own is removed in the end."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="shutwatch-demo-") as made:
            yield Path(made)
        return
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        empty = not any(wanted.iterdir())
    except OSError as error:
        raise fail(f"{wanted} cannot be used as a folder: {error.strerror}", BAD_USAGE) from error
    if not empty:
        raise fail(f"{wanted} is not empty: name a new folder", BAD_USAGE)
    yield wanted
