"""The columns of the CSV files and of the API: `columns.csv` has their order, units and meanings.

Names and order are a promise to those who cite the files; new columns go to the end. docs/csv.md
shows the same table, and tests compare the two. Links in a meaning are Markdown.
"""

import csv
import re
from collections.abc import Callable
from datetime import timedelta
from importlib.resources import files
from math import ceil, floor
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from monitor.analysis.events.event import Event, NetworkStatus, Stretch
from monitor.analysis.events.stretches import certain_count, least, longest, most, newest, shortest
from monitor.analysis.verdict import VantageHealth, Verdict
from monitor.export.cells import Value
from monitor.export.stretches import StretchRow
from monitor.wording.events import founded
from probes.measurement import Layer, Measurement
from storage.values.reviews import Annotation, Review
from storage.values.rollup import DEFINITION, Availability
from storage.values.summary_columns import Summary, summarise
from storage.values.withheld import Withheld

T = TypeVar("T")

FRACTIONS = frozenset(
    {"llr", "share", "share_affected", "weight", "availability", "coverage", "share_open"}
)
"""Columns of unit `number` that are no whole numbers."""


class Column(msgspec.Struct, Generic[T], frozen=True):
    """One column."""

    name: str
    unit: str
    """As docs/csv.md gives it: `text`, `number`, `ms`, `UTC time`, `yes or no`, `list`, …"""
    meaning: str
    value: Callable[[T], Value]
    change: Callable[[Value], Value] | None = None
    """What `value` does last for a reader who may see less; None for all others."""


class SummarisedMeasurement(msgspec.Struct, frozen=True):
    """A measurement with what its columns share."""

    measurement: Measurement
    summary: Summary

    @classmethod
    def of(cls, measurement: Measurement) -> "SummarisedMeasurement":
        """The summary is made once for the whole row."""
        return cls(measurement, summarise(measurement))


_LARGEST = 1e9
"""Beyond this number the digits that rounding keeps mean nothing."""


def milliseconds(seconds: float) -> float:
    """With three digits after the decimal point."""
    return round(seconds * 1e6) / 1e3 if abs(seconds) < _LARGEST else seconds * 1e3


def llr(value: float) -> float:
    """A log-likelihood ratio with six digits after the decimal point."""
    return round(value * 1e6) / 1e6 if abs(value) < _LARGEST else value


def _listed(field: str) -> Callable[[Any], str]:
    """The texts of a field, separated by one space."""
    get = attrgetter(field)
    return lambda value: " ".join(get(value))


_THROUGH_PROXY = re.compile("([^ ]+) through proxy")


def resolvers(listed: str) -> str:
    """Resolvers as a summary lists them, each as one item: no item of a list has a space."""
    return _THROUGH_PROXY.sub(r"proxy:\1", listed).replace("none configured", "none")


def _numbers(which: Callable[[NetworkStatus], bool]) -> Callable[[Event], str]:
    """The AS numbers of some networks of an event."""
    return lambda event: " ".join(f"AS{one.asn}" for one in event.networks if which(one))


def _share(field: str) -> Callable[[Any], float | None]:
    """A field with six digits after the decimal point."""
    get = attrgetter(field)
    return lambda value: None if get(value) is None else round(get(value), 6)


def _failure(layer: Layer) -> Callable[[Verdict], str | None]:
    return lambda verdict: verdict.failures.get(layer)


_TABLE = (files(__package__) / "columns.csv").read_text("utf-8")
_ROWS = list(csv.DictReader(_TABLE.splitlines()))


def _columns(
    file: str,
    field: Callable[[str], Callable[[Any], Value]] = attrgetter,
    /,
    **values: Callable[[Any], Value],
) -> tuple[Column[Any], ...]:
    """The columns of a file. One that is not in `values` shows the field of its own name."""
    return tuple(
        Column(name, row["unit"], row["meaning"], values.get(name) or field(name))
        for row in _ROWS
        if row["file"] == file
        for name in (row["column"],)
    )


def _measured(name: str) -> Callable[[SummarisedMeasurement], Value]:
    part = "summary" if name in Summary.__struct_fields__ else "measurement"
    return attrgetter(f"{part}.{name}")


def _of_stretch(name: str) -> Callable[[StretchRow], Value]:
    part = "stretch" if name in Stretch.__struct_fields__ else "event"
    return attrgetter(f"{part}.{name}")


def _whole(span: timedelta | None, rounded: Callable[[float], int]) -> int | None:
    """Whole seconds: of a bound, the next ones beyond it."""
    return None if span is None else rounded(span.total_seconds())


MEASUREMENT_COLUMNS: tuple[Column[SummarisedMeasurement], ...] = _columns(
    "measurements",
    _measured,
    measurement_id=attrgetter("measurement.id"),
    cycle_id=attrgetter("measurement.cycle"),
    duration_ms=lambda row: milliseconds(row.measurement.duration),
    not_observed=_listed("measurement.not_observed"),
    resolvers=lambda row: resolvers(row.summary.resolvers),
)

VERDICT_COLUMNS: tuple[Column[Verdict], ...] = _columns(
    "verdicts",
    measurement_id=attrgetter("measurement"),
    control_ids=_listed("controls"),
    cycle_id=attrgetter("cycle"),
    llr=lambda verdict: llr(verdict.llr),
    **{f"{layer}_failure": _failure(layer) for layer in Layer},
)

EVENT_COLUMNS: tuple[Column[Event], ...] = _columns(
    "events",
    event_id=attrgetter("id"),
    functions=_listed("functions"),
    methods=_listed("methods"),
    doubts=_listed("doubts"),
    passing=_listed("passing"),
    networks_affected=_numbers(attrgetter("affected")),
    networks_affected_count=lambda event: len(event.networks_affected),
    networks_blocked_now=_numbers(attrgetter("blocked_now")),
    networks_seen=_numbers(lambda _: True),
    networks_seen_count=lambda event: len(event.networks),
    networks_affected_names=lambda event: " | ".join(
        one.network for one in event.networks if one.affected and one.network
    ),
    onset_before_monitoring=lambda event: event.onset_earliest is None,
    first_measurement_id=attrgetter("first_measurement"),
    networks_recovering=_numbers(attrgetter("recovering")),
    networks_unobserved=_numbers(attrgetter("unobserved")),
    stretches=certain_count,
    since_earliest=lambda event: newest(event).onset_earliest,
    since_latest=lambda event: newest(event).onset_latest,
    blocked_seconds_least=lambda event: _whole(least(event), floor) if founded(event) else None,
    blocked_seconds_most=lambda event: _whole(most(event), ceil) if founded(event) else None,
)

STRETCH_COLUMNS: tuple[Column[StretchRow], ...] = _columns(
    "stretches",
    _of_stretch,
    event_id=attrgetter("event.id"),
    asn=lambda row: row.network.asn if row.network else None,
    network=lambda row: row.network.network if row.network else None,
    stretch=attrgetter("number"),
    stretches=attrgetter("count"),
    goes_on=attrgetter("goes_on"),
    onset_before_monitoring=lambda row: row.stretch.onset_earliest is None,
    last_blocked_at=lambda row: row.stretch.last_blocked or row.stretch.end_earliest,
    blocked_seconds_least=lambda row: _whole(shortest(row.stretch), floor),
    blocked_seconds_most=lambda row: _whole(longest(row.stretch), ceil),
)

AVAILABILITY_COLUMNS: tuple[Column[Availability], ...] = _columns(
    "availability",
    availability=_share("availability"),
    coverage=_share("coverage"),
    hours_seen=attrgetter("hours"),
    networks_count=attrgetter("networks"),
    definition=lambda _: DEFINITION,
    partial=_listed("partial"),
)

VANTAGE_COLUMNS: tuple[Column[VantageHealth], ...] = _columns(
    "vantages",
    timeout_rate=_share("timeout_rate"),
    families=_listed("families"),
    passing=_listed("passing"),
    clock_skew_seconds=attrgetter("clock_skew"),
    exit_country=lambda health: health.exit_country or None,
    exit_asn=lambda health: health.exit_asn or None,
)

REVIEW_COLUMNS: tuple[Column[Review], ...] = _columns(
    "reviews",
    review_id=attrgetter("id"),
    event_id=attrgetter("event"),
    reviewed_at=attrgetter("at"),
)

ANNOTATION_COLUMNS: tuple[Column[Annotation], ...] = _columns(
    "annotations", annotation_id=attrgetter("id")
)

WITHHELD_COLUMNS: tuple[Column[Withheld], ...] = _columns("withheld", controls=_listed("controls"))
