"""`shutwatch run`: the whole monitor in one process."""

import asyncio

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.options import MeasuringConfigOption, load_settings
from monitor.logs import configure
from storage.store import InUseError, StorageError


@exit_on(StorageError)
def run(config: MeasuringConfigOption = None) -> None:
    """Measure, judge and store, and serve the page and metrics until stopped."""
    # What `--help` and a mistake in the file do without is imported here.
    from monitor.app.run_monitor import run as run_app
    from monitor.server.serve import ListenError

    settings = load_settings(config, sends=True)
    # With these files it would silently measure from nowhere, or answer no agent.
    if settings.agent is not None:
        raise bad_usage(f"{settings.source} is an agent's: type `shutwatch agent run`")
    if settings.collector.listen[0]:
        raise bad_usage(f"{settings.source} serves agents: type `shutwatch collector`")
    configure(settings.log)
    with exit_on(ListenError, InUseError, code=BAD_USAGE):
        asyncio.run(run_app(settings))
