"""`shutwatch probe`: test endpoints once and show every layer."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.bars import progress
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.options import JsonOption, MeasuringConfigOption, load_settings_of_vantages
from monitor.cli.output import escape, listing_console, print_json, table
from monitor.config.settings import Settings
from monitor.logs import LogSettings, configure
from probes.catalog.catalog import Catalog, Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
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
from storage.values.steady_clock import utc_now

if TYPE_CHECKING:
    from rich.console import Console

_MILLI = 1000.0


def probe(
    endpoints: Annotated[
        list[str],
        typer.Argument(
            help="https://host/, http://host/, tls://host, tcp://host:port, stun:host, ntp:host or "
            "dns:name.",
            metavar="URL...",
        ),
    ],
    vantage: Annotated[
        list[str] | None,
        typer.Option(help="Test from this vantage only; may be repeated. Default: all."),
    ] = None,
    quic: Annotated[
        bool, typer.Option("--quic", help="Test https endpoints over HTTP/3 too.")
    ] = False,
    json: JsonOption = False,
    config: MeasuringConfigOption = None,
) -> None:
    """Test endpoints and show every layer. Judges nothing, stores nothing."""
    settings = load_settings_of_vantages(config)
    configure(LogSettings(level="warning", format=settings.log.format))
    known = [point.id for point in settings.vantages]
    unknown = sorted(set(vantage or ()) - set(known))
    if unknown:
        raise bad_usage(
            f"no vantage {unknown[0]!r} in the configuration; there are: {', '.join(known)}"
        )
    targets = [_endpoint(text, settings.catalog) for text in endpoints]
    if quic and all(target.kind is not EndpointKind.HTTPS for target in targets):
        raise bad_usage("--quic needs an https:// endpoint: nothing else speaks HTTP/3")
    measurements = asyncio.run(_measure(settings, vantage or known, targets, quic=quic))
    if json:
        print_json(measurements)
    else:
        _print(measurements, listing_console())


def _endpoint(text: str, catalog: Catalog) -> Endpoint:
    """The endpoint that `text` names; from the catalogue, with what it must answer, if there."""
    with exit_on(ValueError, code=BAD_USAGE, prefix=f"cannot test {text!r}: "):
        endpoint = parse_endpoint(text if ":" in text else f"https://{text}/")
    functions = (function for platform in catalog.platforms for function in platform.functions)
    known = (one for function in functions for one in function.endpoints if one.id == endpoint.id)
    return next(known, endpoint)


async def _measure(
    settings: Settings, vantages: list[str], endpoints: list[Endpoint], *, quic: bool
) -> list[Measurement]:
    from monitor.measuring.probers import Probers  # which help does without

    async def one(vantage: str, endpoint: Endpoint) -> Measurement:
        target = Target(platform="adhoc", function="adhoc", endpoint=endpoint)
        made = await probers.measure(vantage, target, purpose=Purpose.ADHOC, quic=quic)
        bar.advance()
        return made

    pairs = [(vantage, endpoint) for endpoint in endpoints for vantage in vantages]
    async with Probers(settings, now=utc_now) as probers:
        with progress("testing", len(pairs)) as bar:
            return await asyncio.gather(*(one(*pair) for pair in pairs))


def _print(measurements: list[Measurement], console: "Console") -> None:
    for measurement in measurements:
        outcome = "[green]reached[/]" if measurement.reached else "[bold red]not reached[/]"
        console.print(
            f"\n[bold]{escape(measurement.endpoint)}[/] from [bold]{measurement.vantage}[/]: "
            f"{outcome}",
            highlight=False,
        )
        shown = table("layer", "ms", "failure", "observed")
        shown.columns[1].justify = "right"
        for observation in measurement.observations:
            failure = observation.failure or ""
            shown.add_row(
                layer_of(observation),
                f"{observation.duration * _MILLI:.0f}",
                f"[red]{escape(failure)}[/]" if failure else "",
                escape(_observed(observation)),
            )
        for layer in measurement.not_observed:
            shown.add_row(layer, "", "", "[dim]not observed: the proxy hides it[/]")
        console.print(shown)


def _observed(observation: AnyObservation) -> str:
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
