"""`shutwatch globalping`: a second opinion now, from probes on other people's lines."""

from typing import Annotated

import typer

from monitor.cli.exits import BAD_USAGE, exit_on
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.second_opinion import ask_and_print
from monitor.config.settings import SourceSettings
from monitor.sources.fault import SourceFault
from monitor.sources.terms import SourceKind
from storage.store import CollectorStore
from storage.values.sourced import SourcedRow
from storage.values.steady_clock import utc_now

app = command_group("Ask for a second opinion on a platform now.")


@app.callback()
def group() -> None:
    """Ask for a second opinion on a platform now."""


@app.command()
@exit_on(SourceFault)
def ask(
    country: Annotated[str, typer.Option(help="A country of the [[source]], as PK.")],
    platform: Annotated[str, typer.Option(help="A platform, as named in the catalogue.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Have probes in a country test a platform now, beside references and controls. They are lines
    of strangers: read docs/risk.md first. What they find is stored."""
    settings = load_settings(config)

    async def asked(store: CollectorStore, source: SourceSettings) -> list[SourcedRow]:
        # What asks is imported here, which help does without.
        from monitor.following.follow_globalping import GlobalpingFollower
        from monitor.following.suspects import NothingToAskError
        from monitor.sources.globalping_client import GlobalpingClient

        client = GlobalpingClient(source.api, token=source.token)
        follower = GlobalpingFollower(source, settings, store, client, now=utc_now)
        await follower.restore()
        try:
            with exit_on(NothingToAskError, code=BAD_USAGE):
                return await follower.ask_now(country, platform)
        finally:
            await follower.close()

    ask_and_print(settings, SourceKind.GLOBALPING, country, platform, asked, json=json)
