"""`shutwatch catalog`: what is measured, for people and as JSON, and whether it is still true."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from monitor.analysis.catalog_truth import Finding, Truth
from monitor.cli.bars import progress
from monitor.cli.exits import OUR_FAULT, bad_usage
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, MeasuringConfigOption, load_settings
from monitor.cli.output import escape, listing_console, print_json, table
from monitor.config.catalog import shipped_catalog
from monitor.config.load import find_config
from monitor.config.settings import Settings
from monitor.logs import LogSettings, configure
from probes.catalog.catalog import Catalog, Endpoint, Function, Platform, Reference, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.target import Target
from probes.vantage import VantageRole
from storage.values.steady_clock import utc_now

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_WRONG = (Truth.REFUSED, Truth.DEAD)

_SCOPES = {
    ReferenceScope.UPLINK: "is there internet, or a captive portal?",
    ReferenceScope.INTERNATIONAL: "is the connection abroad open?",
    ReferenceScope.POPULAR: "is it open to what an allowlist would spare?",
    ReferenceScope.ADDRESS: "are connections abroad made where names do not resolve?",
    ReferenceScope.DOMESTIC: "is the connection inside the country open?",
    ReferenceScope.UDP: "does UDP get out, as calls need?",
}


app = command_group("Show what is measured, or try whether it is still true.")


@app.callback(invoke_without_command=True, no_args_is_help=False)
def catalog(context: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show every platform, function, endpoint and reference: all shipped, or a file's."""
    if context.invoked_subcommand is not None:
        if config is not None or json:
            raise bad_usage(f"options go after {context.invoked_subcommand}")
        return
    named = find_config(config, os.environ) is not None
    shown = load_settings(config).catalog if named else shipped_catalog()
    if json:
        print_json([_as_json(shown)])
        return
    console = listing_console()
    for platform in shown.platforms:
        _print_platform(console, platform)
    _print_references(console, shown.references)
    for one in shown.authorities:
        console.print(
            f"[bold]{one.domain}[/bold]  certificates of its own authority are accepted, too"
        )


@app.command()
def verify(config: MeasuringConfigOption = None, json: JsonOption = False) -> None:
    """Try every endpoint once from the controls of a file, or from this machine, where nothing
    should be blocked. Exit code 1 when one is dead or refuses."""
    settings = load_settings(config)
    vantages = [one.id for one in settings.vantages if one.role is VantageRole.CONTROL]
    if find_config(config, os.environ) is None:
        settings = msgspec.structs.replace(settings, catalog=shipped_catalog())
        vantages = [one.id for one in settings.vantages]
    if not vantages:
        raise bad_usage('no vantage with role = "control": elsewhere a block looks like a mistake')
    configure(LogSettings(level="warning", format=settings.log.format))
    found = asyncio.run(_verify(settings, vantages))
    if json:
        print_json(
            {
                "platform": target.platform,
                "function": target.function,
                **msgspec.structs.asdict(finding),
            }
            for target, finding in found
        )
    else:
        _print_findings(found)
    if any(finding.truth in _WRONG for _, finding in found):
        raise typer.Exit(OUR_FAULT)


async def _verify(settings: Settings, vantages: list[str]) -> list[tuple[Target, Finding]]:
    # What measures takes longer to import than a listing takes.
    from monitor.measuring.probers import Probers
    from monitor.measuring.verify_catalog import targets_of, verify_catalog

    endpoints = sum(1 for _ in targets_of(settings.catalog))
    async with Probers(settings, now=utc_now) as probers:
        with progress("testing", endpoints) as bar:
            return await verify_catalog(probers, settings.catalog, vantages, bar.advance)


def _print_findings(found: list[tuple[Target, Finding]]) -> None:
    """A line for each endpoint that is not as it should be, and how many are."""
    console = listing_console()
    counts = Counter(finding.truth for _, finding in found)
    console.print(", ".join(f"{counts[truth]} {truth}" for truth in Truth if counts[truth]))
    shown = table("platform", "function", "endpoint", "result", "detail")
    for target, finding in found:
        if finding.truth is not Truth.OK:
            shown.add_row(
                target.platform,
                target.function,
                escape(finding.endpoint),
                f"[red]{finding.truth}[/]" if finding.truth in _WRONG else finding.truth,
                escape(finding.detail),
            )
    if shown.row_count:
        console.print(shown)


def _as_json(catalog: Catalog) -> dict[str, Any]:
    """The catalogue as plain values; each endpoint has its canonical text as `endpoint`."""
    return {
        "platforms": [
            {
                "name": platform.name,
                "title": platform.title,
                "owner": platform.owner,
                "default": platform.default,
                "functions": [_function_json(function) for function in platform.functions],
            }
            for platform in catalog.platforms
        ],
        "references": [
            {"scope": one.scope, "country": one.country, **_endpoint_json(one.endpoint)}
            for one in catalog.references
        ],
        "authorities": [msgspec.to_builtins(one) for one in catalog.authorities],
    }


def _function_json(function: Function) -> dict[str, Any]:
    return {
        "function": function.name,
        "core": function.core,
        "need": function.need,
        "canonical": function.canonical,
        "groups": {group.name: group.endpoints for group in function.groups},
        "sample": function.sample,
        "endpoints": [_endpoint_json(endpoint) for endpoint in function.endpoints],
    }


def _endpoint_json(endpoint: Endpoint) -> dict[str, Any]:
    return {"endpoint": endpoint.id, **msgspec.to_builtins(endpoint)}


def _print_platform(console: "Console", platform: Platform) -> None:
    """One heading and one table; a line for each endpoint, ports of one host together."""
    named = "" if platform.default else ", measured only when named"
    console.print(
        f"[bold]{escape(platform.title)}[/bold]  {platform.name}, {escape(platform.owner)}{named}"
    )
    table = _table()
    for function in platform.functions:
        first = (function.name, "core" if function.core else "", _need(function))
        for line in _lines(function):
            table.add_row(*first, line)
            first = ("", "", "")
    console.print(table)
    console.print()


def _need(function: Function) -> str:
    number = len(function.endpoints)
    if function.groups:
        return f"{function.need} of each"
    return "one" if number == 1 else f"{function.need} of {number}"


def _lines(function: Function) -> Iterable[str]:
    """The endpoints of a function, by groups, each followed by what it must answer."""
    if not function.groups:
        yield from _pool_lines(function, function.endpoints)
    for group, pool in zip(function.groups, function.pools, strict=bool(function.groups)):
        yield f"[bold]{escape(group.name)}[/bold]"
        yield from _pool_lines(function, pool)
    if function.sample:
        whose = "each group" if function.groups else "them"
        yield f"[dim]{function.sample} of {whose} each cycle, all once one fails[/dim]"


def _pool_lines(function: Function, pool: Iterable[Endpoint]) -> Iterable[str]:
    ports: dict[str, str] = {}
    marks: dict[str, str] = {}
    for endpoint in pool:
        host, port = _parted(endpoint)
        ports[host] = ports.get(host, "") + port
        marks.setdefault(host, _mark(endpoint))
    shared = "" if len(marks) == 1 or len(set(marks.values())) > 1 else marks[next(iter(marks))]
    for number, host in enumerate(ports):
        must = function.canonical and number == 0 and len(ports) > 1
        yield escape(host) + ports[host] + ("  [dim]must work[/dim]" if must else "")
        if marks[host] and not shared:
            yield marks[host]
    if shared:
        yield shared.replace("  ", "each: ", 1)


def _parted(endpoint: Endpoint) -> tuple[str, str]:
    """The canonical text; for tcp the port apart, since pools list many ports of a host."""
    if endpoint.kind is EndpointKind.TCP:
        return endpoint.id.rpartition(":")[0], f" :{endpoint.port}"
    return endpoint.id, ""


def _mark(endpoint: Endpoint) -> str:
    """What the endpoint must answer, and whether its certificate is judged."""
    marks = []
    if endpoint.expect_status:
        marks.append(f"answers {', '.join(map(str, endpoint.expect_status))}")
    if endpoint.expect_body:
        marks.append(f"with “{escape(endpoint.expect_body)}”")
    if endpoint.protocol:
        marks.append(f"answers in {endpoint.protocol}")
    if not endpoint.verify:
        marks.append("certificate recorded, not judged")
    return f"[dim]  {' '.join(marks)}[/dim]" if marks else ""


def _print_references(console: "Console", references: tuple[Reference, ...]) -> None:
    console.print("[bold]References[/bold]  of the vantage's own health")
    table = _table(needs=False)
    shown = ("", "")
    for one in references:
        scope = (str(one.scope), one.country)
        if one.scope != shown[0]:
            table.add_row("", "", f"[dim]{_SCOPES[one.scope]}[/dim]")
        table.add_row(
            *(scope if scope != shown else ("", "")),
            escape(one.endpoint.id),
        )
        if mark := _mark(one.endpoint):
            table.add_row("", "", mark)
        shown = scope
    console.print(table)


def _table(*, needs: bool = True) -> "Table":
    """A table without lines; its column widths are the same for every platform. References have no
    needs."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for name, width in (("function", 13), ("core", 4), *((("works with", 9),) if needs else ())):
        table.add_column(name, min_width=width, overflow="fold")
    table.add_column("endpoint", overflow="fold")
    return table
