"""What others measured, as it is kept: rows, the events they make, and how far they were read.

None of it is mixed with our own measurements: it has tables of its own, a licence in every row, and
no part in our verdicts, events and exports.
"""

from datetime import datetime

import msgspec

from monitor.analysis.events.event import Event
from monitor.analysis.second_witness import Opinion


class SourcedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of a platform that somebody else took."""

    country: str
    source: str
    """Whose it is: `ooni`."""
    uid: str
    """The source's own id of the measurement."""
    measured_at: datetime
    """UTC, by the clock of the device, but never later than the source received it."""
    received_at: datetime
    """UTC; when it came into this database."""
    asn: int
    platform: str
    part: str = ""
    """Empty for core functions, else the function."""
    test: str
    version: str = ""
    """Of the program that made it, `other` where it is none of those that were asked about; empty:
    not known."""
    failed: float
    """Whether it shows a failure, 0 to 1: as the source says, until our rules judged it."""
    confirmed: bool = False
    """Whether the source saw a known block page."""
    methods: tuple[str, ...] = ()
    """`method.sub_method` of the failure, where known."""
    judged: str = ""
    """The state that our rules found in the whole measurement; `unavailable` where the source does
    not give it; empty: not asked for."""
    left_out: str = ""
    """Why it counts for nothing: `vpn`, `unverified`, `down`, `waiting`; empty: it counts."""
    licence: str


class OutsideSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A drop of a country's connectivity, as somebody who looks from outside saw it: derived, never
    a series of the source."""

    country: str
    datasource: str
    """How it was seen: `bgp`, `ping-slash24`."""
    began_at: datetime
    """UTC."""
    ended_at: datetime | None = None
    """UTC; None while it lasts."""
    drop: float
    """Share (0–1) that was lost at the worst moment."""


class OutsideLevel(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a country was left at worst during an event, by a source's signal: derived, never
    a series of the source."""

    event: str
    """Id of our event."""
    country: str
    datasource: str
    until: datetime
    """UTC; the newest value that was looked at."""
    lost: float
    """Share (0–1) that was lost; 0: nothing, or more than usual."""


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source was read, and how it is. Kept, so that a restart neither asks again at once
    nor forgets how much was used."""

    asked: str = ""
    """What is asked for, or a digest of it: another question begins anew. Of a source that looks
    from outside, its countries with commas between them."""
    cursors: dict[str, datetime] = {}
    """Query → UTC until when its rows are here."""
    swept_at: datetime | None = None
    """UTC; when rows that were uploaded late were last looked for."""
    not_before: datetime | None = None
    """UTC; the source is left alone until then."""
    wait: float = 0.0
    """Seconds of the last such pause; the next is longer."""
    problem: str = ""
    """Why the last poll failed: `limited`, `failing`, `unreachable`, `malformed`, `refused`; empty:
    it did not."""
    hour: datetime | None = None
    """UTC; the hour that `units` counts."""
    units: int = 0
    """Units of quota used in it."""
    remaining: int | None = None
    """What the source said was left of its quota."""
    polled_at: datetime | None = None
    """UTC; when it was last asked."""
    answered_at: datetime | None = None
    """UTC; when a poll last read everything there was."""
    known_since: datetime | None = None
    """UTC; of a source that looks from outside: since when everything it saw is here. None before
    its first poll, and where an earlier version made the last one."""
    newest_at: datetime | None = None
    """UTC; when the newest row was measured."""
    requests: int = 0
    rows: int = 0
    """New ones."""
    repeated: int = 0
    """Rows that were here already."""
    malformed: int = 0
    """Rows that could not be read."""
    judged: int = 0
    """Measurements that our rules judged."""
    signals: tuple[OutsideSignal, ...] = ()
    """What a source that looks from outside saw of the last weeks, by when it began."""
    levels: tuple[OutsideLevel, ...] = ()
    """What its signals showed during events of ours."""
    opinions: tuple[Opinion, ...] = ()
    """What programs of the source made of its tests in the last weeks, by time."""


class StoredSource(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one source."""

    source: str
    state: SourceState


class SourcedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that measurements of others show."""

    country: str
    source: str
    id: str
    platform: str
    active: bool
    first_seen_at: datetime
    """UTC; when this monitor first knew of it. Its own times are those of the measurements."""
    event: Event


class SourcedCount(msgspec.Struct, frozen=True, kw_only=True):
    """What a source has about one network of a country in some time, left-out rows aside."""

    source: str
    platform: str
    asn: int
    total: int
    failed: int
    """Rows that fail more surely than not."""
    newest_at: datetime
    """UTC; when the newest was measured."""
