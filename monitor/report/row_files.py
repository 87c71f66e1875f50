"""Files of rows of a report: as an export writes them, with vantages named only where that was
asked for."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO, TypeVar

from msgspec.structs import replace

from monitor.analysis.events.event import Event
from monitor.analysis.verdict import Verdict
from monitor.export.csv import header, value_lines
from monitor.export.kinds import EXPORTS, Kind
from monitor.report.findings import Wanted
from probes.measurement import AnyObservation, DnsObservation, Measurement
from probes.vantage import VantageRole

Where = TypeVar("Where", Verdict, Measurement, Event)


def new_file(path: Path, kind: Kind | None = None) -> TextIO:
    """A new file, with the header of that kind of rows."""
    out = path.open("w", encoding="utf-8", newline="")
    if kind is not None:
        out.write(header(EXPORTS[kind].columns))
    return out


def write_rows(kind: Kind, out: TextIO, wanted: Wanted, values: Iterable[Any]) -> None:
    """A line for each value."""
    export = EXPORTS[kind]
    shown = (marked(wanted, value) for value in values)
    out.write(value_lines(export.columns, map(export.prepare, shown)))


def marked(wanted: Wanted, one: Where) -> Where:
    """With the network in place of the vantage's id, unless vantages are to be named."""
    if wanted.with_vantages or not one.vantage:
        return one
    if isinstance(one, Event):
        return replace(one, vantage="")
    if isinstance(one, Measurement):
        one = replace(one, observations=tuple(map(_without_own_resolver, one.observations)))
    return replace(one, vantage=_network_id(one.asn, one.vantage_role))


def _without_own_resolver(one: AnyObservation) -> AnyObservation:
    """A small resolver serves few people; those of follow-ups are open to all."""
    own = isinstance(one, DnsObservation) and not one.reason
    return replace(one, resolver="") if own else one


def _network_id(asn: int, role: str) -> str:
    """What replaces the id of a vantage that is not named."""
    return f"AS{asn}" if role == VantageRole.FIELD else "control"
