"""`shutwatch run`: the whole monitor in one process."""

import asyncio

from monitor.app.run import run as run_app
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.logs import configure
from monitor.server.serve import ListenError
from storage.store import StorageError


def run(config: ConfigOption = None) -> None:
    """Measure, judge and store, and serve the page and metrics until stopped."""
    settings = load_settings(config)
    configure(settings.log)
    try:
        asyncio.run(run_app(settings))
    except ListenError as error:
        raise fail(str(error), BAD_USAGE) from error
    except StorageError as error:
        raise fail(str(error)) from error
