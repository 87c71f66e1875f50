"""`shutwatch collector`: the server that agents send measurements to."""

import asyncio

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.options import ConfigOption, load_settings
from monitor.keys.keys import KeyFileError
from monitor.logs import configure
from storage.store import InUseError, StorageError


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
    # By these it would store cycles unsealed, or serve no agent, without a word.
    if settings.agent is not None:
        raise bad_usage(f"{settings.source} is an agent's: type `shutwatch agent run`")
    if not settings.collector.listen[0]:
        raise bad_usage(
            f"{settings.source or 'the built-in configuration'} has no listen under [collector], "
            "where agents deliver: add it, or type `shutwatch run`"
        )
    configure(settings.log)
    with exit_on(ListenError, InUseError, code=BAD_USAGE):
        asyncio.run(run(settings))
