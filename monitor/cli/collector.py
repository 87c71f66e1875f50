"""`shutwatch collector`: the server that agents send measurements to."""

import asyncio

from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.collector.run_collector import run
from monitor.keys.keys import KeyFileError
from monitor.logs import configure
from monitor.server.serve import ListenError
from storage.store import StorageError


def collector(config: ConfigOption = None) -> None:
    """Receive agents' measurements, judge them, and serve the page and metrics.

    Runs until stopped. Several collectors may share one PostgreSQL database: one of them judges,
    and another takes over when it stops.
    """
    settings = load_settings(config)
    configure(settings.log)
    try:
        asyncio.run(run(settings))
    except ListenError as error:
        raise fail(str(error), BAD_USAGE) from error
    except (StorageError, KeyFileError) as error:
        raise fail(str(error)) from error
