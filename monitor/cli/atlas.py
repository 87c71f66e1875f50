"""`shutwatch atlas`: a second opinion now, from probes of RIPE Atlas."""

import asyncio
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

app = command_group("Ask RIPE Atlas for a second opinion on a platform now.")


@app.callback()
def group() -> None:
    """Ask RIPE Atlas for a second opinion on a platform now."""


@app.command()
@exit_on(SourceFault)
def ask(
    country: Annotated[str, typer.Option(help="A country of the [[source]], as PK.")],
    platform: Annotated[str, typer.Option(help="A platform, as named in the catalogue.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Have probes of RIPE Atlas in a country test a platform now, and wait up to 20 minutes for
    their results. They are lines of strangers: read docs/risk.md first. It takes credits of your
    account. What they find is stored."""
    settings = load_settings(config)

    async def asked(store: CollectorStore, source: SourceSettings) -> list[SourcedRow]:
        # What asks is imported here, which help does without.
        from monitor.following.follow_atlas import AtlasFollower
        from monitor.following.suspects import NothingToAskError
        from monitor.sources.atlas_client import AtlasClient

        client = AtlasClient(source.api, key=source.token)
        follower = AtlasFollower(source, settings, store, client, now=utc_now)
        await follower.restore()
        try:
            with exit_on(NothingToAskError, code=BAD_USAGE):
                return await follower.ask_now(country, platform, asyncio.sleep)
        finally:
            await follower.close()

    ask_and_print(settings, SourceKind.ATLAS, country, platform, asked, json=json)
