"""Confirmed events in the columns of STOP, Access Now's data set of internet shutdowns: a row for
each stretch of time in which something was blocked.

Its editors know what no measurement shows: who ordered a shutdown, and why. Such columns hold
`Unknown` where STOP has that word, and nothing else. A service that an event is not about is
`Unknown` too: only its own events say more. The columns are those of the sheets from 2020 on.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter
from typing import TextIO
from zoneinfo import ZoneInfo

import msgspec

from monitor.analysis.events.event import Event, EventKind, EventState, NetworkStatus, Stretch
from monitor.analysis.events.stretches import stretches
from monitor.export.cells import Value, cell
from monitor.export.continuations import reviews_by_event
from monitor.export.for_people import Reader, reader_says
from monitor.export.stretches import in_time
from monitor.wording.local_time import zone_of
from monitor.wording.networks import network_name
from monitor.wording.words import words_in
from storage.store import Store
from storage.values.reviews import Review, rejected
from storage.values.selection import Selection

UNKNOWN = "Unknown"
_WHOLE = {EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT, EventKind.ALLOWLIST}
"""Kinds about the whole network; a block is about one service."""
_SERVICES: Mapping[str, str] = {
    "facebook": "facebook_affected",
    "x": "twitter_affected",
    "whatsapp": "whatsapp_affected",
    "instagram": "instagram_affected",
    "telegram": "telegram_affected",
}
"""Platforms that STOP has a column for."""
_THROTTLING = "throttling."


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    event: Event
    stretch: Stretch
    newest: bool
    reader: Reader

    @property
    def starts(self) -> date:
        return self._date(self.stretch.onset_latest)

    @property
    def ends(self) -> date | None:
        """The last day known to be blocked; None where it goes on, may go on, or nobody saw it
        end."""
        if self.newest and self.event.active:
            return None
        last = self.stretch.end_earliest
        seen = last is not None and self.stretch.end_latest is not None
        return self._date(last) if last is not None and seen else None

    def _date(self, moment: datetime) -> date:
        """The day on the country's own clocks."""
        zone = self.reader.zone or zone_of(self.event.country) or "UTC"
        return moment.astimezone(ZoneInfo(zone)).date()

    @property
    def start_type(self) -> str:
        earliest = self.stretch.onset_earliest
        exact = earliest is not None and self._date(earliest) == self.starts
        return "Actual" if exact else "Estimated"

    @property
    def type(self) -> str:
        slowed = [method.startswith(_THROTTLING) for method in self.event.methods]
        cut = [] if slowed and all(slowed) else ["Shutdown"]
        return ", ".join([*cut, *(["Throttle"] if any(slowed) else [])])

    @property
    def status(self) -> str:
        if self.ends is not None:
            return "Ended"
        seen = not self.event.wholly_unobserved
        goes_on = self.newest and seen and self.event.state is EventState.CONFIRMED
        return "Ongoing" if goes_on else UNKNOWN

    @property
    def days(self) -> int | None:
        """STOP counts the first and the last day."""
        return (self.ends - self.starts).days + 1 if self.ends is not None else None

    @property
    def other(self) -> str:
        platform = self.event.platform
        return self.reader.titles.get(platform, platform) if platform not in _SERVICES else ""

    def _blocked_then(self, network: NetworkStatus) -> bool:
        """Whether a network blocked in this stretch, which is made of those of its networks; one
        without stretches of its own shares the event's."""
        ended = self.stretch.end_latest or self.stretch.end_earliest
        return not network.stretches or any(
            self.stretch.onset_latest <= one.onset_latest
            and (ended is None or one.onset_latest <= ended)
            for one in network.stretches
        )

    @property
    def operators(self) -> str:
        affected = (one for one in self.event.networks if one.affected and self._blocked_then(one))
        return ", ".join(network_name(words_in(), one.network, one.asn) for one in affected)


_Cell = Callable[[_Row], Value]


def _affected(platform: str) -> _Cell:
    return lambda row: "Yes" if row.event.platform == platform else UNKNOWN


def _unknown(_: _Row) -> Value:
    return UNKNOWN


def _empty(_: _Row) -> Value:
    return None


COLUMNS: Mapping[str, _Cell] = {
    "start_date_type": attrgetter("start_type"),
    "start_date": lambda row: row.starts.isoformat(),
    "country": lambda row: words_in().country(row.event.country),
    "geo_scope": lambda _: "Not sure",
    "area_name": _empty,
    "shutdown_type": attrgetter("type"),
    "affected_network": _unknown,
    "shutdown_extent": lambda row: "Full network" if row.event.kind in _WHOLE else "Service-based",
    "ordered_by": _unknown,
    "decision_maker": _empty,
    "actual_cause": _empty,
    "actual_cause_details": _empty,
    "info_source": lambda _: "Other",
    "info_source_link": _empty,
    "shutdown_status": attrgetter("status"),
    "end_date": lambda row: row.ends.isoformat() if row.ends is not None else None,
    "duration": attrgetter("days"),
    "gov_justification": _unknown,
    "gov_just_details": _empty,
    "gov_ack": _unknown,
    "legal_just": _unknown,
    "legal_method": _empty,
    "gov_ack_source": _empty,
    "gov_ack_quote": _empty,
    **{column: _affected(platform) for platform, column in _SERVICES.items()},
    "other_affected": attrgetter("other"),
    "sms_affected": _unknown,
    "phonecall_affected": _unknown,
    "telcos_involved": attrgetter("operators"),
    "telco_ack": _unknown,
    "telco_ack_source": _empty,
    "telco_ack_quote": _empty,
    "election": _unknown,
    "violence": _unknown,
    "hr_abuse_reported": _unknown,
    "users_targeted": _empty,
    "users_target_detail": _empty,
    "users_notified": _unknown,
    "econ_impact": _empty,
    "event": lambda row: reader_says(row.reader)(row.event),
    "an_link": _empty,
}
"""Name → what it holds, in STOP's order."""


class Omitted(StrEnum):
    """Why an event of a kind that STOP has is not in the file."""

    UNCONFIRMED = "not confirmed"
    REJECTED = "rejected by a person"
    WITHDRAWN = "withdrawn"


async def write_stop(store: Store, selection: Selection, out: TextIO, reader: Reader) -> int:
    """Write the stretches in the time selected of events that were confirmed, and neither withdrawn
    nor rejected by a person, as CSV; returns how many rows. Who rejected what an event continues
    rejected the event. Raises StorageError."""
    reviews = await reviews_by_event(store)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    written = 0
    async for batch in store.events(selection):
        for event in filter(_is_shutdown, batch):
            if _why_omitted(event, reviews) is None:
                for row in _rows(event, reader, selection):
                    writer.writerow([cell(value(row)) for value in COLUMNS.values()])
                    written += 1
    return written


async def omitted_events(store: Store, selection: Selection) -> Counter[Omitted]:
    """How many events in the time selected have no row, by the reason. Raises StorageError."""
    reviews = await reviews_by_event(store)
    found = Counter[Omitted]()
    async for batch in store.events(selection):
        for event in filter(_is_shutdown, batch):
            why = _why_omitted(event, reviews)
            if why is not None and _spans(event, selection):
                found[why] += 1
    return found


def _spans(event: Event, selection: Selection) -> list[tuple[Stretch, bool]]:
    """The stretches in the time selected, and whether each is the newest."""
    spans = stretches(event)
    return [
        (one, one is spans[-1]) for one in spans if in_time(one, selection.since, selection.until)
    ]


def _rows(event: Event, reader: Reader, selection: Selection) -> Iterator[_Row]:
    for one, newest in _spans(event, selection):
        yield _Row(event=event, stretch=one, newest=newest, reader=reader)


def _is_shutdown(event: Event) -> bool:
    return event.kind is EventKind.BLOCK or event.kind in _WHOLE


def _why_omitted(event: Event, reviews: Mapping[str, Sequence[Review]]) -> Omitted | None:
    if event.state is EventState.WITHDRAWN:
        return Omitted.WITHDRAWN
    if not event.sure:
        return Omitted.UNCONFIRMED
    return Omitted.REJECTED if rejected(reviews.get(event.id, ())) else None
