"""`shutwatch run`: the whole monitor in one process."""

import asyncio

from monitor.app.run import run as run_app
from monitor.cli.exits import BAD_USAGE, exit_on
from monitor.cli.options import ConfigOption, load_settings
from monitor.logs import configure
from monitor.server.serve import ListenError
from storage.store import StorageError


@exit_on(StorageError)
@exit_on(ListenError, code=BAD_USAGE)
def run(config: ConfigOption = None) -> None:
    """Measure, judge and store, and serve the page and metrics until stopped."""
    settings = load_settings(config)
    configure(settings.log)
    asyncio.run(run_app(settings))
