"""`shutwatch once`: one cycle from every vantage, judged, nothing stored."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from monitor.analysis.throttling.transfer_verdict import Spread, TransferVerdict
from monitor.analysis.verdict import PlatformVerdict, State, VantageState, Verdict
from monitor.app.cycle_runners import cycle_runner
from monitor.cli.options import ConfigOption, load_settings
from monitor.config.settings import LogSettings, Settings
from monitor.logs import configure
from monitor.wording.grades import grade_in_words
from monitor.wording.methods import method_and_name, method_name
from monitor.wording.networks import network_name
from monitor.wording.rules import HEALTH_RULE_MEANINGS, RULE_MEANINGS
from monitor.wording.states import STATES
from monitor.wording.vantage_health import VANTAGE_STATES, notes
from monitor.wording.words import words_in
from storage.store import Cycle

STYLES = {
    State.OK: "green",
    State.DEGRADED: "yellow",
    State.THROTTLED: "yellow",
    State.BLOCKED: "bold red",
    State.DOWN: "magenta",
    State.INSUFFICIENT: "dim",
}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def once(
        config: ConfigOption = None,
        json: Annotated[
            bool, typer.Option("--json", help="One JSON object per line on standard output.")
        ] = False,
        transfers: Annotated[
            bool,
            typer.Option("--transfers", help="Measure the speed of every platform as well."),
        ] = False,
        quic: Annotated[
            bool, typer.Option("--quic", help="Ask over HTTP/3 too whatever offers it.")
        ] = False,
    ) -> None:
        """Look once from every vantage and print what it means. Stores nothing."""
        settings = load_settings(config)
        configure(LogSettings(level="warning", format=settings.log.format))
        cycles = asyncio.run(measure_once(settings, transfers=transfers, quic=quic))
        if json:
            for note in _notes(cycles):
                typer.echo(note, err=True)
            for line in json_lines(cycles):
                sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
            sys.stdout.flush()
        else:
            print_cycles(settings, cycles, Console())


async def measure_once(
    settings: Settings, *, transfers: bool = False, quic: bool = False
) -> list[Cycle]:
    """One cycle of every vantage, side by side, with a progress bar on standard error.

    `transfers` measures the speed of every platform as well; `quic` asks over HTTP/3 too whatever
    offers it.
    """
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, Any] = {}
    async with cycle_runner(
        settings,
        on_endpoint=lambda vantage: progress.advance(tasks[vantage]),
        force_transfers=transfers,
        force_quic=quic,
    ) as runner:
        with progress:
            for vantage in settings.vantages:
                total = runner.endpoints_per_cycle(vantage.id)
                if total:
                    tasks[vantage.id] = progress.add_task(vantage.id, total=total)
            return list(await asyncio.gather(*(runner.run(v.id) for v in settings.vantages)))


def json_lines(cycles: list[Cycle]) -> Iterator[dict[str, Any]]:
    """The lines of `--json`: endpoints, platforms, speeds, then the vantage, cycle by cycle."""
    for cycle in cycles:
        for verdict in cycle.verdicts:
            yield _endpoint_line(verdict)
        for platform in cycle.platforms:
            yield _platform_line(platform)
        for transfer in cycle.transfers:
            yield _transfer_line(transfer)
        health = cycle.health
        yield {
            "kind": "vantage",
            "vantage": health.vantage,
            "country": health.country,
            "asn": health.asn,
            "network": health.network,
            "role": health.vantage_role,
            "state": health.state,
            "rule_id": health.rule_id,
            "references_ok": health.references_ok,
            "references_total": health.references_total,
            "clock_skew": health.clock_skew,
            "stub_resolver": health.stub_resolver,
            "nat64": health.nat64,
            "exit_country": health.exit_country,
            "exit_asn": health.exit_asn,
        }


def _notes(cycles: list[Cycle]) -> Iterator[str]:
    """What people should know of each vantage, next to its state."""
    for cycle in cycles:
        yield from (f"{cycle.vantage}: {note}" for note in notes(words_in(), cycle.health))


def _endpoint_line(verdict: Verdict) -> dict[str, Any]:
    return {
        "kind": "endpoint",
        "vantage": verdict.vantage,
        "country": verdict.country,
        "asn": verdict.asn,
        "platform": verdict.platform,
        "role": verdict.role,
        "endpoint": verdict.endpoint,
        "state": verdict.state,
        "method": verdict.method,
        "sub_method": verdict.sub_method,
        "family": verdict.family,
        "rule_id": verdict.rule_id,
        "evidence": verdict.evidence,
        "failures": verdict.failures,
    }


def _platform_line(platform: PlatformVerdict) -> dict[str, Any]:
    return {
        "kind": "platform",
        "vantage": platform.vantage,
        "country": platform.country,
        "asn": platform.asn,
        "platform": platform.platform,
        "state": platform.state,
        "method": platform.method,
        "sub_method": platform.sub_method,
        "rule_id": platform.rule_id,
        "evidence": platform.evidence,
        "roles": {role.role: role.state for role in platform.roles},
    }


def _transfer_line(transfer: TransferVerdict) -> dict[str, Any]:
    verdict = transfer.verdict
    return {
        "kind": "transfer",
        "vantage": verdict.vantage,
        "country": verdict.country,
        "asn": verdict.asn,
        "platform": verdict.platform,
        "role": verdict.role,
        "object": transfer.object,
        "class": transfer.kind,
        "state": verdict.state,
        "rule_id": verdict.rule_id,
        "evidence": verdict.evidence,
        "rounds": transfer.rounds,
        "bits_per_second": {name: _spread(one) for name, one in transfer.rates.items()},
        "ratio": {name: _spread(one, 4) for name, one in transfer.ratios.items()},
        "stalled_at": _spread(transfer.stalled_at) if transfer.stalled_at else None,
    }


def _spread(spread: Spread, digits: int | None = None) -> dict[str, float]:
    fields = msgspec.structs.asdict(spread)
    return {name: round(value, digits) for name, value in fields.items()}


def print_cycles(settings: Settings, cycles: list[Cycle], console: Console) -> None:
    """The table a person reads."""
    words = words_in()
    titles = {platform.name: platform.title for platform in settings.catalog.platforms}
    for cycle in cycles:
        health = cycle.health
        network = network_name(words, health.network, health.asn)
        place = f"{words.country(health.country)}, {network}, {health.vantage_role}"
        console.print(
            f"\n[bold]{health.vantage}[/bold] ({escape(place)}): "
            f"[bold]{VANTAGE_STATES[health.state]}[/bold], {health.references_ok} of "
            f"{health.references_total} references answered",
            highlight=False,
        )
        if health.state is not VantageState.OK:
            console.print(HEALTH_RULE_MEANINGS.get(health.rule_id, ""), style="yellow")
        for note in notes(words, health):
            console.print(f"Note: {note}.", style="yellow", highlight=False)
        if not cycle.platforms:
            continue
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("platform", "state", "how", "evidence", "why"):
            table.add_column(column, overflow="fold")
        for verdict in cycle.platforms:
            name = method_name(verdict.method, verdict.sub_method)
            table.add_row(
                titles.get(verdict.platform, verdict.platform),
                f"[{STYLES[verdict.state]}]{STATES[verdict.state]}[/]",
                method_and_name(words, name) if name else "",
                grade_in_words(words, verdict.evidence) if name else "",
                _why(verdict),
            )
        console.print(table)


def _why(verdict: PlatformVerdict) -> str:
    if verdict.state is State.OK:
        return ""
    if verdict.rule_id.startswith("vantage."):
        return verdict.rule_id  # said once, above the table
    roles = ", ".join(role.role for role in verdict.roles if role.state is not State.OK)
    return f"{roles}: {RULE_MEANINGS.get(verdict.rule_id, '')} [dim]({verdict.rule_id})[/dim]"
