"""`shutwatch once`: measure and judge one cycle from every vantage, and store nothing."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from monitor.analysis.transfer_verdict import Spread, TransferVerdict
from monitor.analysis.verdict import ACCUSED, PlatformVerdict, State, VantageState
from monitor.cli.bars import Bar, progress_bars
from monitor.cli.counts import counted
from monitor.cli.options import JsonOption, MeasuringConfigOption, load_settings_of_vantages
from monitor.cli.output import escape, listing_console, print_json, table
from monitor.config.settings import Settings
from monitor.logs import LogSettings, configure
from monitor.wording.events import extent
from monitor.wording.failures_and_methods import method_and_name, method_name
from monitor.wording.grades import grade_in_words
from monitor.wording.networks import network_name
from monitor.wording.rules import HEALTH_RULE_MEANINGS, RULE_MEANINGS
from monitor.wording.states import STATE_STYLES, STATES
from monitor.wording.vantage_health import VANTAGE_STATES, notes
from monitor.wording.words import words_in
from storage.values.cycle import Cycle

if TYPE_CHECKING:
    from rich.console import Console


def once(
    config: MeasuringConfigOption = None,
    json: JsonOption = False,
    transfers: Annotated[
        bool, typer.Option("--transfers", help="Measure the speed of every platform as well.")
    ] = False,
    quic: Annotated[
        bool, typer.Option("--quic", help="Test over HTTP/3 too, where an endpoint offers it.")
    ] = False,
) -> None:
    """Measure one cycle from every vantage and print the verdicts. Stores nothing."""
    settings = load_settings_of_vantages(config)
    configure(LogSettings(level="warning", format=settings.log.format))
    cycles: list[Cycle] = []

    async def measure() -> None:
        # `asyncio.run` makes text of whatever is returned to it, which takes long for cycles.
        cycles.extend(await measure_once(settings, transfers=transfers, quic=quic))

    asyncio.run(measure())
    if json:
        for note in _notes(cycles):
            typer.echo(note, err=True)
        print_json(json_lines(cycles))
    else:
        print_cycles(settings, cycles, listing_console())


async def measure_once(
    settings: Settings, *, transfers: bool = False, quic: bool = False
) -> list[Cycle]:
    """One cycle of every vantage, concurrently, with a progress bar on standard error.

    `transfers` measures the speed of every platform too; `quic` tests over HTTP/3 too.
    """
    # What measures is imported here, which help and other people's measurements do without.
    from monitor.app.cycle_job import measure_and_judge
    from monitor.app.cycle_runners import cycle_runner

    bars: dict[str, Bar] = {}
    async with cycle_runner(
        settings,
        on_endpoint=lambda vantage: bars[vantage].advance(),
        force_transfers=transfers,
        force_quic=quic,
        force_hellos=True,
    ) as runner:
        with progress_bars() as shown:
            for vantage in settings.vantages:
                total = runner.endpoints_per_cycle(vantage.id)
                if total:
                    bars[vantage.id] = shown.bar(vantage.id, total)
            cycles = (measure_and_judge(runner, vantage.id) for vantage in settings.vantages)
            return list(await asyncio.gather(*cycles))


_ENDPOINT = (
    *("vantage", "country", "asn", "platform", "function", "endpoint", "state", "method"),
    *("sub_method", "family", "share", "rule_id", "evidence", "failures"),
)
_PLATFORM = (
    *("vantage", "country", "asn", "platform", "state", "method", "sub_method", "family"),
    *("share", "rule_id", "evidence"),
)
_TRANSFER = ("vantage", "country", "asn", "platform", "function")
_HEALTH = (
    *("state", "rule_id", "references_ok", "references_total", "clock_skew", "stub_resolver"),
    *("nat64", "exit_country", "exit_asn", "passing"),
)
"""Fields of each kind of line, in their order."""


def json_lines(cycles: list[Cycle]) -> Iterator[dict[str, Any]]:
    """The lines of `--json`: endpoints, platforms, speeds, then the vantage, cycle by cycle."""
    for cycle in cycles:
        for verdict in cycle.verdicts:
            yield {"kind": "endpoint", **_fields(verdict, _ENDPOINT)}
        for platform in cycle.platforms:
            yield {
                "kind": "platform",
                **_fields(platform, _PLATFORM),
                "functions": {function.function: function.state for function in platform.functions},
                "groups": {
                    function.function: function.groups
                    for function in platform.functions
                    if function.groups
                },
            }
        for transfer in cycle.transfers:
            yield _transfer_line(transfer)
        health = cycle.health
        yield {
            "kind": "vantage",
            **_fields(health, ("vantage", "country", "asn", "network")),
            "role": health.vantage_role,
            **_fields(health, _HEALTH),
        }


def _fields(value: msgspec.Struct, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _notes(cycles: list[Cycle]) -> Iterator[str]:
    """What people should know about each vantage besides its state."""
    for cycle in cycles:
        yield from (f"{cycle.vantage}: {note}" for note in notes(words_in(), cycle.health))


def _transfer_line(transfer: TransferVerdict) -> dict[str, Any]:
    verdict = transfer.verdict
    return {
        "kind": "transfer",
        **_fields(verdict, _TRANSFER),
        "object": transfer.object,
        "class": transfer.kind,
        **_fields(verdict, ("state", "rule_id", "evidence")),
        "rounds": transfer.rounds,
        "bits_per_second": {name: _spread(one) for name, one in transfer.rates.items()},
        "ratio": {name: _spread(one, 4) for name, one in transfer.ratios.items()},
        "stalled_at": _spread(transfer.stalled_at) if transfer.stalled_at else None,
    }


def _spread(spread: Spread, digits: int | None = None) -> dict[str, float]:
    fields = msgspec.structs.asdict(spread)
    return {name: round(value, digits) for name, value in fields.items()}


def print_cycles(settings: Settings, cycles: list[Cycle], console: "Console") -> None:
    """The verdicts of each vantage, as tables for people."""
    words = words_in()
    titles = {platform.name: platform.title for platform in settings.catalog.platforms}
    for cycle in cycles:
        health = cycle.health
        network = network_name(words, health.network, health.asn)
        place = f"{words.country(health.country)}, {network}, {health.vantage_role}"
        console.print(
            f"\n[bold]{health.vantage}[/bold] ({escape(place)}): "
            f"[bold]{VANTAGE_STATES[health.state]}[/bold], {health.references_ok} of "
            f"{counted(health.references_total, 'reference')} answered",
            highlight=False,
        )
        if health.state is not VantageState.OK:
            console.print(HEALTH_RULE_MEANINGS.get(health.rule_id, ""), style="yellow")
        for note in notes(words, health):
            console.print(f"Note: {note}.", style="yellow", highlight=False)
        if not cycle.platforms:
            continue
        shown = table("platform", "state", "method", "evidence", "reason")
        for verdict in cycle.platforms:
            name = method_name(verdict.method, verdict.sub_method)
            shown.add_row(
                titles.get(verdict.platform, verdict.platform),
                f"[{STATE_STYLES[verdict.state]}]{STATES[verdict.state]}[/]",
                method_and_name(words, name) if name else "",
                grade_in_words(words, verdict.evidence) if name else "",
                _reason(verdict),
            )
        console.print(shown)


def _reason(verdict: PlatformVerdict) -> str:
    if verdict.state is State.OK:
        return "; ".join(
            f"{function.function} works, but not through {', '.join(function.accused)}"
            for function in verdict.functions
            if function.accused
        )
    if verdict.rule_id.startswith("vantage."):
        # Its meaning is printed once, above the table.
        return " ".join((verdict.rule_id, *_blocked_all_the_same(verdict)))
    functions = ", ".join(_decided_by(verdict))
    if part := extent(words_in(), verdict):
        functions = f"{functions}, {part}"
    meaning = f"{RULE_MEANINGS.get(verdict.rule_id, '')} [dim]({verdict.rule_id})[/dim]"
    return " ".join((f"{functions}: {meaning}", *_blocked_all_the_same(verdict)))


def _decided_by(verdict: PlatformVerdict) -> Sequence[str]:
    """The functions of which the rule speaks: where none is undecided as the platform is, that is
    one of which some groups are blocked, for the sake of its others."""
    functions = verdict.functions
    if verdict.state in ACCUSED:
        return [n for one in functions if one.state in ACCUSED for n in one.names]
    alike = [one.function for one in functions if one.state is verdict.state]
    return alike or [one.function for one in functions if one.core and one.groups]


def _blocked_all_the_same(verdict: PlatformVerdict) -> Iterator[str]:
    """Sentences about functions of an undecided platform that are blocked for certain."""
    words = words_in()
    for function in verdict.blocked_all_the_same:
        how = method_and_name(words, method_name(function.method, function.sub_method))
        names, grade = ", ".join(function.names), grade_in_words(words, function.evidence)
        yield f"{names}: {STATES[function.state]}, {how}, evidence {grade}."
