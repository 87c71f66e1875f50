"""`shutwatch collector`: the server that agents send measurements to."""

import asyncio

from monitor.cli.exits import BAD_USAGE, exit_on
from monitor.cli.options import ConfigOption, load_settings
from monitor.keys.keys import KeyFileError
from monitor.logs import configure
from storage.store import StorageError


@exit_on(StorageError, KeyFileError)
def collector(config: ConfigOption = None) -> None:
    """Receive agents' measurements, judge them, and serve the page and metrics.

    Runs until stopped. Several collectors may share one PostgreSQL database: one of them judges,
    and another takes over when it stops.
    """
    # What help does without is imported here.
    from monitor.collector.run_collector import run
    from monitor.server.serve import ListenError

    settings = load_settings(config, sends=True)
    configure(settings.log)
    with exit_on(ListenError, code=BAD_USAGE):
        asyncio.run(run(settings))
