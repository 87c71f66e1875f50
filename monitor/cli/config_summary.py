"""What a configuration will watch, from where, and what to think over, for `shutwatch check`."""

from collections import Counter

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from monitor.cli.console import plain_console
from monitor.config.advice import advice
from monitor.config.settings import Settings
from monitor.config.values import DNS_PORT
from probes.sockets.system_resolvers import system_resolvers
from probes.vantage import Egress, EgressKind, Resolver, VantagePoint
from storage.url import shown

_MINUTE = 60.0
_HOUR = 3600.0


def print_summary(settings: Settings) -> None:
    """Print it on standard output, 80 columns wide where that is not a terminal."""
    console = plain_console()
    console.print(
        f"{escape(settings.source) or 'Built-in settings'}: no mistakes. Looks "
        f"every {_length(settings.interval)}, {escape(_kept(settings))}"
    )
    console.print("\n[bold]From[/bold]")
    console.print(Padding(_vantages(settings.vantages), (0, 0, 0, 2)))
    names = ", ".join(platform.name for platform in settings.catalog.platforms)
    console.print("\n[bold]Platforms[/bold]")
    console.print(Padding(names, (0, 0, 0, 2)))
    console.print("\n[bold]References[/bold]")
    console.print(Padding(_references(settings), (0, 0, 0, 2)))
    warnings = advice(settings, system_resolvers())
    if warnings:
        console.print("\n[bold yellow]To think over[/bold yellow]")
    for warning in warnings:
        item = Table.grid(padding=(0, 1))
        item.add_row("  -", escape(warning))
        console.print(item)


def _kept(settings: Settings) -> str:
    if settings.agent is not None:
        return f"hands in to {', '.join(settings.agent.collectors)}"
    return f"keeps data in {shown(settings.database)}, serves {_listener(settings)}"


def _vantages(vantages: tuple[VantagePoint, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for column in ("vantage", "role", "in", "network", "way out", "resolver"):
        table.add_column(column, overflow="fold")
    for vantage in vantages:
        number = f"AS{vantage.asn}" if vantage.asn else ""
        table.add_row(
            vantage.id,
            vantage.role,
            vantage.country,
            escape(f"{number} {vantage.network}".strip()),
            escape(_way_out(vantage.egress)),
            _asked(vantage.resolver),
        )
    return table


def _way_out(egress: Egress) -> str:
    """The egress in words, without credentials."""
    match egress.kind:
        case EgressKind.SOURCE:
            return f"from {egress.source}"
        case EgressKind.INTERFACE:
            return f"through {egress.interface}"
        case EgressKind.SOCKS5 | EgressKind.CONNECT:
            return f"{egress.kind} {_host_port(egress.proxy_host, egress.proxy_port)}"
        case _:
            return str(egress.kind)


def _asked(resolver: Resolver) -> str:
    if resolver.url:
        return resolver.url
    if resolver.system or resolver.port == DNS_PORT:
        return resolver.address or "system"
    return _host_port(resolver.address, resolver.port)


def _references(settings: Settings) -> str:
    """How many there are of each scope and country."""
    counts = Counter(f"{one.scope} {one.country}".strip() for one in settings.catalog.references)
    return ", ".join(f"{name}: {number}" for name, number in counts.items()) or "none"


def _listener(settings: Settings) -> str:
    return f"http://{_host_port(settings.listen_host, settings.listen_port)}/"


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _length(seconds: float) -> str:
    """`300.0` → `5m`."""
    if seconds >= _HOUR and seconds % _HOUR == 0:
        return f"{seconds / _HOUR:g}h"
    if seconds >= _MINUTE and seconds % _MINUTE == 0:
        return f"{seconds / _MINUTE:g}m"
    return f"{seconds:g}s"
