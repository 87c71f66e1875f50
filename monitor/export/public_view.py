"""What everybody may see of stored rows, when a server is public.

Nothing finer than a network: no vantage, no cycle, no resolver. And nothing that the flow logs of a
network can be joined with to find a host there: measurements come late and in whole buckets of
time, layer times are rounded, and ids hold no time. Events come at once, in whole minutes. Every
bound moves outwards, so that what it says stays true.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import Any

import msgspec
from msgspec.structs import replace

from monitor.analysis.events.event import CoarseEvent, Event, EventKind, NetworkStatus, Stretch
from monitor.analysis.events.stretches import certain_count, stretches
from monitor.export.cells import Value
from monitor.export.columns import Column
from monitor.export.kinds import Export, Kind
from monitor.export.stretches import StretchRow
from storage.store import Store
from storage.values.selection import Selection

MINUTE = 60.0
HOUR = 3600.0
LAYER_TIME = 10
"""Milliseconds to which the time of a layer is rounded."""
_ID = 24
"""Hexadecimal digits of an id."""

Change = Callable[[Value], Value]


class PublicView(msgspec.Struct, frozen=True, kw_only=True):
    """How coarse and how late the public sees measurements."""

    delay: float = HOUR
    """Seconds until a measurement is shown."""
    bucket: float = 5 * MINUTE
    """Seconds of a bucket of time."""

    def newest(self, now: datetime) -> datetime:
        """Measurements from this moment on are not shown yet."""
        return earlier(now - timedelta(seconds=self.delay), self.bucket)

    def shown_from(self, at: datetime) -> datetime:
        """When what was measured at that moment is shown."""
        whole = timedelta(seconds=self.bucket)
        return earlier(at, self.bucket) + whole + timedelta(seconds=self.delay)

    def selection(self, kind: str, wanted: Selection, now: datetime) -> Selection:
        """What is selected of rows of a kind: whole buckets, so that no choice of `since` and
        `until` finds a moment within one, and nothing that is not shown yet."""
        since = wanted.since and earlier(wanted.since, self.bucket)
        until = wanted.until and later(wanted.until, self.bucket)
        if kind not in (Kind.EVENTS, Kind.STRETCHES):
            newest = self.newest(now)
            # Availability counts whole hours: parts of them are counted from single verdicts.
            newest = earlier(newest, HOUR) if kind == Kind.AVAILABILITY else newest
            until = min(until or newest, newest)
            until = max(until, since) if since else until
        return replace(wanted, since=since, until=until)

    def export(self, export: Export) -> Export:
        """What the public sees of these rows."""

        async def batches(store: Store, wanted: Selection) -> AsyncIterator[Sequence[Any]]:
            async for batch in export.batches(store, wanted):
                if shown := [row for row in batch if _is_shown(row)]:
                    yield shown

        columns = tuple(map(self._column, export.columns))
        by_event = any(column.name == "event_id" for column in columns)
        return replace(export, columns=columns, batches=batches if by_event else export.batches)

    def event(self, event: Event) -> Event:
        """An event in whole minutes, with the stretches that it had before."""
        if isinstance(event, CoarseEvent):
            return event
        known = {name: getattr(event, name) for name in event.__struct_fields__}
        return replace(
            CoarseEvent(
                **known,
                country_stretches=tuple(map(_stretch, stretches(event))),
                certain_count=certain_count(event),
            ),
            networks=tuple(map(_network, event.networks)),
            onset_earliest=event.onset_earliest and earlier(event.onset_earliest),
            onset_latest=later(event.onset_latest),
            detected_at=earlier(event.detected_at),
            confirmed_at=event.confirmed_at and earlier(event.confirmed_at),
            end_earliest=event.end_earliest and earlier(event.end_earliest),
            end_latest=event.end_latest and later(event.end_latest),
            updated_at=earlier(event.updated_at, self.bucket),
        )

    def _column(self, column: Column[Any]) -> Column[Any]:
        change = self._changes().get(column.name) or _BY_UNIT.get(column.unit)
        if change is None:
            return column
        return replace(column, value=lambda row: change(column.value(row)), change=change)

    def _changes(self) -> Mapping[str, Change]:
        return {
            **_CHANGES,
            **dict.fromkeys(("started_at", "judged_at"), _moved(earlier, self.bucket)),
            **dict.fromkeys(("measured_at", "updated_at"), _moved(earlier, self.bucket)),
            "measured_until": _moved(later, self.bucket),
        }


def is_public(event: Event) -> bool:
    """Whether everybody may see an event: one about a single vantage is for operators."""
    return event.kind not in (EventKind.VANTAGE_SILENT, EventKind.CONTROL_DIFFERS)


def public_id(id_: str) -> str:
    """The id of a measurement for the public. Its own, a UUIDv7, holds the millisecond in which the
    measurement began, and 74 random bits that nobody can guess to find it from this hash."""
    return hashlib.sha256(f"public id\n{id_}".encode()).hexdigest()[:_ID] if id_ else ""


def earlier(moment: datetime, length: float = MINUTE) -> datetime:
    """The start of the bucket of time, of so many seconds, in which a moment lies."""
    return datetime.fromtimestamp(moment.timestamp() // length * length, UTC)


def later(moment: datetime, length: float = MINUTE) -> datetime:
    """The end of that bucket; the moment itself where a bucket begins with it."""
    return datetime.fromtimestamp(-(-moment.timestamp() // length) * length, UTC)


def _is_shown(row: Event | StretchRow) -> bool:
    return is_public(row.event if isinstance(row, StretchRow) else row)


def _network(network: NetworkStatus) -> NetworkStatus:
    return replace(network, vantage="", stretches=tuple(map(_stretch, network.stretches)))


def _stretch(stretch: Stretch) -> Stretch:
    return replace(
        stretch,
        onset_earliest=stretch.onset_earliest and earlier(stretch.onset_earliest),
        onset_latest=later(stretch.onset_latest),
        end_earliest=stretch.end_earliest and earlier(stretch.end_earliest),
        end_latest=stretch.end_latest and later(stretch.end_latest),
        opened=stretch.opened and later(stretch.opened),
        last_blocked=stretch.last_blocked and earlier(stretch.last_blocked),
        unsure=ceil(stretch.unsure / MINUTE) * MINUTE,
    )


def _moved(move: Callable[[datetime, float], datetime], length: float = MINUTE) -> Change:
    return lambda value: move(value, length) if isinstance(value, datetime) else value


def _whole_minutes(rounded: Callable[[float], int]) -> Change:
    return lambda value: None if value is None else rounded(_number(value) / MINUTE) * int(MINUTE)


def _rounded(value: Value) -> Value:
    return None if value is None else round(_number(value) / LAYER_TIME) * LAYER_TIME


def _number(value: Value) -> float:
    assert isinstance(value, int | float)  # noqa: S101 # narrows for the type checker
    return value


def _empty(_: Value) -> Value:
    return None


def _public_ids(value: Value) -> Value:
    return " ".join(map(public_id, str(value or "").split(" ")))


_BY_UNIT: Mapping[str, Change] = {"ms": _rounded}
_CHANGES: Mapping[str, Change] = {
    **dict.fromkeys(("vantage", "cycle_id", "resolvers"), _empty),
    # What a page says or where it leads may have been made for the one vantage that saw it. The
    # certificate of a router is in indexes of scanners.
    **dict.fromkeys(("http_url", "http_title", "http_body_sha256", "tls_chain_sha256"), _empty),
    **dict.fromkeys(("measurement_id", "first_measurement_id", "control_ids"), _public_ids),
    **dict.fromkeys(("onset_earliest", "since_earliest", "end_earliest"), _moved(earlier)),
    **dict.fromkeys(("detected_at", "confirmed_at", "last_blocked_at"), _moved(earlier)),
    **dict.fromkeys(("onset_latest", "since_latest", "end_latest"), _moved(later)),
    "blocked_seconds_least": _whole_minutes(floor),
    "blocked_seconds_most": _whole_minutes(ceil),
}
"""What happens to the cells of a column: a small resolver serves few people, and a cycle is one
vantage's."""
