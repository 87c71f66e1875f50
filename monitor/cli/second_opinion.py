"""What the commands share that have probes of strangers test a platform now."""

from collections.abc import Awaitable, Callable

import typer

from monitor.analysis.second_witness import OnNetwork, Witness
from monitor.cli.exits import bad_usage
from monitor.cli.output import print_json
from monitor.cli.store_options import with_store
from monitor.config.settings import Settings, SourceSettings
from monitor.sources.terms import TERMS, SourceKind
from monitor.sources.witnesses import grade_of_probes
from monitor.wording.sources import tests, witness_in_message
from monitor.wording.words import words_in
from storage.store import CollectorStore
from storage.values.sourced import SourcedRow

Asking = Callable[[CollectorStore, SourceSettings], Awaitable[list[SourcedRow]]]


def ask_and_print(
    settings: Settings, kind: SourceKind, country: str, platform: str, ask: Asking, *, json: bool
) -> None:
    """Have `ask` ask the source of this kind, if it follows that country and platform, and print
    what its probes found."""
    source = next((one for one in settings.sources if one.kind is kind), None)
    if source is None:
        raise bad_usage(
            f'no [[source]] of kind = "{kind}" is configured: docs/sources.md says how to add it'
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
    typer.echo(f"shutwatch: {TERMS[kind].caution}", err=True)
    rows = with_store(
        settings, lambda store: ask(store, source), create=True, doing=f"asking {TERMS[kind].title}"
    )
    if json:
        print_json(rows)
        return
    for line in _lines(kind, rows):
        typer.echo(line)


def _lines(kind: SourceKind, rows: list[SourcedRow]) -> list[str]:
    """How they stand to a block, in the words of an event's page, then each network."""
    words, terms = words_in(), TERMS[kind]
    counted = [one for one in rows if not one.left_out]
    by_network = {
        asn: [one for one in counted if one.asn == asn] for asn in {one.asn for one in counted}
    }
    networks = tuple(
        OnNetwork(asn=asn, total=len(own), failed=sum(one.failed > 0 for one in own))
        for asn, own in sorted(by_network.items())
    )
    witness = Witness(
        source=str(kind),
        title=terms.title,
        credit=terms.credit,
        home=terms.home,
        networks=networks,
        grade=grade_of_probes(kind, (one for one in counted if one.failed > 0)),
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
