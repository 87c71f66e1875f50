"""`shutwatch probe`: one look at something, layer by layer, without a judgement."""

import asyncio
import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.app.clock import utc_now
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.config.settings import LogSettings, Settings
from monitor.logs import configure
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Catalog, Endpoint, EndpointKind
from probes.catalog.endpoint import parse_endpoint
from probes.measurement import (
    AnyObservation,
    AppObservation,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Measurement,
    Purpose,
    QuicObservation,
    TcpObservation,
    TlsObservation,
    TransferObservation,
    layer_of,
)
from probes.target import Target

_MILLI = 1000.0


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def probe(
        endpoints: Annotated[
            list[str],
            typer.Argument(
                help="https://host/, http://host/, tls://host, tcp://host:port, stun:host "
                "or dns:name.",
                metavar="URL...",
            ),
        ],
        vantage: Annotated[
            list[str] | None,
            typer.Option(help="Purpose from this vantage only; may be given again. Default: all."),
        ] = None,
        quic: Annotated[
            bool, typer.Option("--quic", help="Ask https endpoints over HTTP/3 too.")
        ] = False,
        json: Annotated[
            bool, typer.Option("--json", help="One measurement per line on standard output.")
        ] = False,
        config: ConfigOption = None,
    ) -> None:
        """Purpose at endpoints and show every layer. Judges nothing, stores nothing."""
        settings = load_settings(config)
        configure(LogSettings(level="warning", format=settings.log.format))
        known = [point.id for point in settings.vantages]
        unknown = sorted(set(vantage or ()) - set(known))
        if unknown:
            raise fail(
                f"no vantage {unknown[0]!r} in the configuration; there are: {', '.join(known)}",
                BAD_USAGE,
            )
        targets = [_endpoint(text, settings.catalog) for text in endpoints]
        if quic and all(target.kind is not EndpointKind.HTTPS for target in targets):
            raise fail("--quic needs an https:// endpoint: nothing else speaks HTTP/3", BAD_USAGE)
        looks = asyncio.run(_look(settings, vantage or known, targets, quic=quic))
        if json:
            for look in looks:
                sys.stdout.buffer.write(msgspec.json.encode(look) + b"\n")
            sys.stdout.flush()
        else:
            _print(looks, Console())


def _endpoint(text: str, catalog: Catalog) -> Endpoint:
    """What `text` names, as the catalogue has it where it does: with all that it must answer."""
    try:
        endpoint = parse_endpoint(text if ":" in text else f"https://{text}/")
    except ValueError as error:
        raise fail(f"cannot look at {text!r}: {error}", BAD_USAGE) from error
    roles = (role for platform in catalog.platforms for role in platform.roles)
    known = (one for role in roles for one in role.endpoints if one.id == endpoint.id)
    return next(known, endpoint)


async def _look(
    settings: Settings, vantages: list[str], endpoints: list[Endpoint], *, quic: bool
) -> list[Measurement]:
    async with Probers(settings, now=utc_now) as probers:
        return await asyncio.gather(
            *(
                probers.measure(
                    vantage,
                    Target(platform="adhoc", role="adhoc", endpoint=endpoint),
                    purpose=Purpose.ADHOC,
                    quic=quic,
                )
                for endpoint in endpoints
                for vantage in vantages
            )
        )


def _print(looks: list[Measurement], console: Console) -> None:
    for look in looks:
        outcome = "[green]reached[/]" if look.reached else "[bold red]not reached[/]"
        console.print(
            f"\n[bold]{escape(look.endpoint)}[/] from [bold]{look.vantage}[/]: {outcome}",
            highlight=False,
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("layer")
        table.add_column("ms", justify="right")
        table.add_column("failure", overflow="fold")
        table.add_column("seen", overflow="fold")
        for observation in look.observations:
            failure = observation.failure or ""
            table.add_row(
                layer_of(observation),
                f"{observation.duration * _MILLI:.0f}",
                f"[red]{escape(failure)}[/]" if failure else "",
                escape(_seen(observation)),
            )
        for layer in look.not_observed:
            table.add_row(layer, "", "", "[dim]not observed: the proxy hides it[/]")
        console.print(table)


def _seen(observation: AnyObservation) -> str:
    match observation:
        case DnsObservation():
            replies = " | ".join(
                f"{answer.rcode} {' '.join(answer.addresses)}".strip()
                for answer in observation.answers
            )
            stub = " (a local stub: injected answers stay hidden)" if observation.stub else ""
            return f"{observation.name} {observation.rtype} at {observation.resolver}{stub}: " + (
                replies or "no reply"
            )
        case TcpObservation():
            return f"{observation.address or 'by name through the proxy'} port {observation.port}"
        case TlsObservation():
            facts = (observation.version, observation.cipher, observation.verify_error)
            return f"{observation.server_name}: {', '.join(filter(None, facts))}".rstrip(": ")
        case HttpObservation():
            onward = f" → {observation.location}" if observation.location else ""
            title = f" “{observation.title}”" if observation.title else ""
            status = observation.status or "no answer"
            size = f", {observation.body_length} bytes" if observation.body_length else ""
            return f"{observation.url}: {status}{onward}{title}{size}"
        case AppObservation():
            return f"{observation.protocol} at {observation.address or 'a name'} port " + str(
                observation.port
            )
        case QuicObservation():
            facts = (observation.version, observation.alpn, str(observation.status or ""))
            return f"{observation.server_name}: {', '.join(filter(None, facts))}".rstrip(": ")
        case TransferObservation():
            return (
                f"{observation.url} as {observation.server_name}: {observation.bytes_read} of "
                f"{observation.bytes_wanted} bytes"
            )
        case EgressObservation():
            return observation.reply or "our own proxy"
