"""`shutwatch globalping`: a second opinion now, from probes on other people's lines."""

from typing import Annotated

import typer

from monitor.analysis.second_witness import OnNetwork, Witness
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import print_json
from monitor.cli.store_options import with_store
from monitor.config.settings import Settings, SourceSettings
from monitor.sources.fault import SourceFault
from monitor.sources.terms import TERMS, SourceKind
from monitor.sources.witnesses import grade_of_probes
from monitor.wording.sources import tests, witness_in_message
from monitor.wording.words import words_in
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
    source = next((one for one in settings.sources if one.kind is SourceKind.GLOBALPING), None)
    if source is None:
        raise bad_usage(
            'no [[source]] of kind = "globalping" is configured: docs/sources.md says how to add it'
        )
    if country not in source.countries:
        raise bad_usage(
            f"--country {country!r} is not followed: give one of {', '.join(source.countries)}"
        )
    watched = source.platforms or tuple(one.name for one in settings.catalog.platforms)
    if platform not in watched:
        raise bad_usage(
            f"--platform {platform!r} is not followed: give one of {', '.join(sorted(watched))}"
        )
    typer.echo(f"shutwatch: {TERMS[SourceKind.GLOBALPING].caution}", err=True)
    rows = with_store(
        settings,
        lambda store: _asked(store, settings, source, country, platform),
        create=True,
        doing="asking Globalping",
    )
    if json:
        print_json(rows)
        return
    for line in _lines(rows):
        typer.echo(line)


async def _asked(
    store: CollectorStore, settings: Settings, source: SourceSettings, country: str, platform: str
) -> list[SourcedRow]:
    # What asks is imported here, which help does without.
    from monitor.following.follow_globalping import GlobalpingFollower, NothingToAskError
    from monitor.sources.globalping_client import GlobalpingClient

    client = GlobalpingClient(source.api, token=source.token)
    follower = GlobalpingFollower(source, settings, store, client, now=utc_now)
    await follower.restore()
    try:
        with exit_on(NothingToAskError, code=BAD_USAGE):
            return await follower.ask_now(country, platform)
    finally:
        await follower.close()


def _lines(rows: list[SourcedRow]) -> list[str]:
    """How they stand to a block, in the words of an event's page, then each network."""
    words, terms = words_in(), TERMS[SourceKind.GLOBALPING]
    counted = [one for one in rows if not one.left_out]
    by_network = {
        asn: [one for one in counted if one.asn == asn] for asn in {one.asn for one in counted}
    }
    networks = tuple(
        OnNetwork(asn=asn, total=len(own), failed=sum(one.failed > 0 for one in own))
        for asn, own in sorted(by_network.items())
    )
    witness = Witness(
        source=str(SourceKind.GLOBALPING),
        title=terms.title,
        credit=terms.credit,
        home=terms.home,
        networks=networks,
        grade=grade_of_probes(SourceKind.GLOBALPING, (one for one in counted if one.failed > 0)),
    )
    found = [witness_in_message(words, witness)]
    for network in networks:
        own = by_network[network.asn]
        methods = sorted({method for one in own for method in one.methods})
        how = f" ({', '.join(methods)})" if methods else ""
        found.append(f"  AS{network.asn}: {tests(words, network.total, network.failed)}{how}")
    left_out = sorted(one.left_out for one in rows if one.left_out)
    if left_out:
        found.append(f"  counts for nothing: {', '.join(left_out)}")
    return found
