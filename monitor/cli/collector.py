"""`shutwatch collector`: take in what agents see, judge it, and show it."""

import asyncio

import typer

from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.collector.run_collector import run
from monitor.keys.keys import KeyFileError
from monitor.logs import configure
from monitor.server.serve import ListenError
from storage.store import StorageError


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def collector(config: ConfigOption = None) -> None:
        """Take in what agents see, judge it, and serve the page and the metrics until stopped.

        Any number may share one PostgreSQL database: one of them judges, and another one takes over
        when it is gone.
        """
        settings = load_settings(config)
        configure(settings.log)
        try:
            asyncio.run(run(settings))
        except ListenError as error:
            raise fail(str(error), BAD_USAGE) from error
        except (StorageError, KeyFileError) as error:
            raise fail(str(error)) from error
