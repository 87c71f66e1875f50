"""Summary of a configuration for `shutwatch check`: vantages, platforms, references, warnings."""

from collections import Counter
from collections.abc import Sequence

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from monitor.cli.output import plain_console, table
from monitor.config.durations_and_sizes import duration_text
from monitor.config.settings import Settings, SourceSettings, host_port
from monitor.config.urls_and_addresses import DNS_PORT
from monitor.measuring.worst_case import DUE_EARLY, Worst, worst_case
from monitor.sources.terms import TERMS
from monitor.wording.findings import Finding, finding_text
from monitor.wording.words import words_in
from probes.vantage import Egress, EgressKind, Resolver, VantagePoint
from storage.url import shown


def print_summary(settings: Settings, warnings: Sequence[Finding]) -> None:
    """Print it on standard output, 80 columns wide where that is not a terminal."""
    console = plain_console()
    console.print(
        f"{escape(settings.source) or 'Built-in settings'}: no mistakes. Measures "
        f"every {duration_text(settings.interval)}, {escape(_destination(settings))}"
    )
    if settings.vantages:
        console.print("\n[bold]From[/bold]")
        console.print(Padding(_vantages(settings.vantages), (0, 0, 0, 2)))
    if settings.sources:
        console.print("\n[bold]What others measure[/bold]")
    for source in settings.sources:
        console.print(Padding(_source(source), (0, 0, 0, 2)))
    names = ", ".join(platform.name for platform in settings.catalog.platforms)
    console.print("\n[bold]Platforms[/bold]")
    console.print(Padding(names, (0, 0, 0, 2)))
    console.print("\n[bold]References[/bold]")
    console.print(Padding(_references(settings), (0, 0, 0, 2)))
    worst = worst_case(settings)
    if 0 < worst.seconds <= DUE_EARLY * settings.interval:
        console.print("\n[bold]Cycles[/bold]")
        console.print(Padding(_cycles(settings, worst), (0, 0, 0, 2)))
    if warnings:
        console.print("\n[bold yellow]Warnings[/bold yellow]")
    for warning in warnings:
        item = Table.grid(padding=(0, 1))
        item.add_row("  -", escape(finding_text(words_in(), warning)))
        console.print(item)


def _source(source: SourceSettings) -> str:
    terms = TERMS[source.kind]
    beside = f", compared with {', '.join(source.beside)}" if source.beside else ""
    caution = f"\n[bold yellow]{terms.caution}.[/bold yellow]" if terms.caution else ""
    return (
        f"{terms.title} about {', '.join(source.countries)}{beside}: asked every "
        f"{duration_text(source.every)}, at most {source.budget} units an hour. {terms.credit}"
        f"{caution}"
    )


def _cycles(settings: Settings, worst: Worst) -> str:
    """How long a cycle takes at worst, and what fits."""
    return (
        f"When every platform is met with silence, on a slow line, a cycle takes up to "
        f"{duration_text(round(worst.seconds))}. That fits the interval of "
        f"{duration_text(settings.interval)}; so it does with up to {worst.fits} such vantages."
    )


def _destination(settings: Settings) -> str:
    if settings.agent is not None:
        return f"sends to {', '.join(settings.agent.collectors)}"
    return f"keeps data in {shown(settings.database)}, serves {_listener(settings)}"


def _vantages(vantages: tuple[VantagePoint, ...]) -> Table:
    # Few columns, so that ids and addresses are whole on 80.
    shown = table("vantage", "role", "network", "egress", "resolver", header_style="dim")
    for vantage in vantages:
        number = f"AS{vantage.asn}" if vantage.asn else ""
        shown.add_row(
            vantage.id,
            vantage.role,
            escape(f"{vantage.country} {number} {vantage.network}".strip()),
            escape(_egress(vantage.egress)),
            _resolver(vantage.resolver),
        )
    return shown


def _egress(egress: Egress) -> str:
    """The egress in words, without credentials."""
    match egress.kind:
        case EgressKind.SOURCE:
            return f"from {egress.source}"
        case EgressKind.INTERFACE:
            return f"through {egress.interface}"
        case EgressKind.SOCKS5 | EgressKind.CONNECT:
            tls = "+tls" if egress.proxy_tls else ""
            return f"{egress.kind}{tls} {host_port(egress.proxy_host, egress.proxy_port)}"
        case _:
            return str(egress.kind)


def _resolver(resolver: Resolver) -> str:
    if resolver.url:
        return resolver.url
    if resolver.system or resolver.port == DNS_PORT:
        return resolver.address or "system"
    return host_port(resolver.address, resolver.port)


def _references(settings: Settings) -> str:
    """Their number for each scope and country."""
    counts = Counter(f"{one.scope} {one.country}".strip() for one in settings.catalog.references)
    return ", ".join(f"{name}: {number}" for name, number in counts.items()) or "none"


def _listener(settings: Settings) -> str:
    return f"{settings.listened_at}/"
