"""The columns of files that people open in a spreadsheet: names, local times, and words.

They are the columns of the other files, so that both say the same, with what a person would look
up: the names of countries and platforms, the networks behind AS numbers, times on the country's own
clocks, lengths of time in words, and what happened in a sentence.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from monitor.analysis.events.event import Event, NetworkStatus
from monitor.export.cells import Value
from monitor.export.columns import Column
from monitor.export.kinds import EXPORTS, Export, Kind
from monitor.wording.durations import duration_at_least, duration_at_most
from monitor.wording.events import headline
from monitor.wording.local_time import zone_of
from monitor.wording.networks import network_name
from monitor.wording.words import words_in

LOCAL = "local time"
"""Unit of a time on the clocks of `local_zone`."""
_UTC = "UTC"
_NETWORKS: Mapping[str, Callable[[NetworkStatus], bool]] = {
    "networks_affected": attrgetter("affected"),
    "networks_blocked_now": attrgetter("blocked_now"),
    "networks_seen": lambda _: True,
    "networks_recovering": attrgetter("recovering"),
    "networks_unobserved": attrgetter("unobserved"),
}
"""Columns of events that list networks by number, and which ones."""
_SECONDS = "_seconds_"


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """What a person's file is made with."""

    titles: Mapping[str, str]
    """Name of each platform in the catalogue → its own name."""
    zone: str = ""
    """IANA name of the time zone of all times; empty: that of each row's country."""


def export_for(kind: Kind, reader: Reader) -> Export:
    """The kind with the columns that people read."""
    export = EXPORTS[kind]
    columns = tuple(_columns(kind, export.columns, reader))
    return msgspec.structs.replace(export, columns=columns, stored=None)


def _columns(kind: Kind, columns: tuple[Column[Any], ...], reader: Reader) -> Iterator[Column[Any]]:
    (country,) = (column.value for column in columns if column.name == "country")

    def zone(row: Any) -> str:
        return reader.zone or zone_of(str(country(row))) or _UTC

    if kind is Kind.EVENTS:
        yield Column(
            "sentence", "text", "What happened, where and since when.", reader_says(reader)
        )
    for column in columns:
        yield from _column(column, zone, reader)
    yield Column(
        "local_zone",
        "text",
        "The time zone of all local times of the row: that of the country's capital, unless "
        "another was asked for.",
        zone,
    )


def reader_says(reader: Reader) -> Callable[[Event], str]:
    """The sentence of an event, as the page has it."""
    return lambda event: headline(words_in(), event, reader.titles)


def _column(
    column: Column[Any], zone: Callable[[Any], str], reader: Reader
) -> Iterator[Column[Any]]:
    name, meaning, value = column.name, column.meaning, column.value
    if column.unit == "UTC time":
        yield Column(f"{name}_local", LOCAL, meaning, lambda row: _local(value(row), zone(row)))
        return
    if name in _NETWORKS:
        which = _NETWORKS[name]
        yield Column(name, "names", meaning, lambda event: _names(event, which))
        return
    yield column
    if name == "country":
        yield Column(
            "country_name",
            "text",
            "Its name.",
            lambda row: _or_empty(words_in().country, value(row)),
        )
    elif name == "platform":
        yield Column(
            "platform_name",
            "text",
            "Its own name.",
            lambda row: reader.titles.get(str(value(row)), str(value(row))),
        )
    elif _SECONDS in name:
        yield Column(
            name.replace(_SECONDS, "_time_"),
            "text",
            f"In words: {meaning}",
            lambda row: _span(name, value(row)),
        )


def _local(moment: Value, zone: str) -> Value:
    if not isinstance(moment, datetime):
        return None
    return moment.astimezone(ZoneInfo(zone))


def _names(event: Event, which: Callable[[NetworkStatus], bool]) -> str:
    named = (network_name(words_in(), one.network, one.asn) for one in event.networks if which(one))
    return " | ".join(named)


def _or_empty(name: Callable[[str], str], code: Value) -> str:
    return name(str(code)) if code else ""


def _span(name: str, seconds: Value) -> str:
    if not isinstance(seconds, int | float):
        return ""
    in_words = duration_at_most if name.endswith("_most") else duration_at_least
    return in_words(words_in(), timedelta(seconds=seconds))
