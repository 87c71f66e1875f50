"""What the rest may ask of memory: the Store protocol and the values that cross it."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.throttling.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement
from storage.export.cells import Group, Listed, Page
from storage.values.outbox import Notice, NoticeState
from storage.values.prunable import Prunable
from storage.values.rejudging import Rejudging
from storage.values.reviews import Annotation, Review
from storage.values.rollup import Availability, Period


class StorageError(Exception):
    """The store could not do what it was asked; the message says what, and for which file."""


class NotLeadingError(StorageError):
    """Another process leads: nothing was written."""


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """One pass over all endpoints from one vantage, complete."""

    id: str
    """UUIDv7."""
    vantage: str
    country: str
    started_at: datetime
    finished_at: datetime
    health: VantageHealth
    measurements: tuple[Measurement, ...]
    """Of this vantage, and the control looks made for it."""
    verdicts: tuple[Verdict, ...]
    platforms: tuple[PlatformVerdict, ...]
    hurried: bool = False
    """Only what was suspicious was looked at, out of turn. Not stored."""
    transfers: tuple[TransferVerdict, ...] = ()
    """Speeds measured in this cycle. Not stored: measurements and verdicts hold it all."""


class StoredCycle(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a cycle itself; what was seen in it is listed by itself."""

    id: str
    vantage: str
    country: str
    started_at: datetime
    finished_at: datetime
    health: VantageHealth
    """Of the vantage, as it was judged then."""


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector had concluded of one thing up to some moment, to go on from after a restart.

    Never history: it can be made again from what is.
    """

    country: str
    """Empty for what has no country."""
    platform: str
    """Empty for the vantages themselves."""
    kind: str
    """What wrote `state`, and in which form; another one is of no use to its reader."""
    until: datetime | None
    """When the last thing in it was judged (UTC); None when nothing has gone in yet."""
    until_key: str
    """What tells that from others of the same moment."""
    state: str
    """JSON."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which stored rows are wanted. Empty fields select everything."""

    since: datetime | None = None
    """Inclusive, UTC."""
    until: datetime | None = None
    """Exclusive, UTC."""
    country: str = ""
    platform: str = ""
    asn: int | None = None
    """AS number; of events, one of those that blocked."""
    vantage: str = ""
    state: str = ""
    """For what has a state; measurements have none."""
    event: str = ""
    """Id, for events alone."""
    period: Period = Period.HOUR
    """For availability alone, like `by_network`."""
    by_network: bool = True
    """Without: all networks of a country together."""
    after: tuple[str, ...] = ()
    """Only what is listed behind this place, as `storage.values.cursor.place_of` gives it."""
    batch: int = 0
    """How many values a batch has at most; 0: as many as suits the store."""


class Store(Protocol):
    """Memory of one installation. All methods raise StorageError."""

    async def open(self) -> None:
        """Open, migrating the schema to this version first."""

    async def close(self) -> None:
        """Finish what is under way and let go of the database."""

    async def lead(self) -> bool:
        """Try to be the one process that judges, of all that have this database open; whether it
        is now this one. Whoever leads says so again every ten seconds at the latest, which also
        tells whether it still does.

        From the first call on, `save` and `update_notices` raise NotLeadingError, and write
        nothing, unless this store leads; who never calls it writes freely. The lead is let go by
        `close`, and lost with the connection: within half a minute when the process, its machine
        or the network dies without a word. A store of one process leads as soon as it asks.
        """

    @property
    def leading(self) -> bool:
        """Whether this store led when it last asked or wrote."""

    async def save(
        self,
        cycle: Cycle,
        events: Sequence[Event] = (),
        log: Sequence[EventLogEntry] = (),
        conclusions: Sequence[Conclusion] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        """Store a whole cycle, its effect on `latest` and on events, and what is to be told of
        that, in one durable transaction.

        Saving the same cycle or measurement again changes nothing. An older cycle that arrives
        late adds to history and leaves `latest` alone. A conclusion replaces the one before. A
        notice that is there stays as it is; one must tell of a line of the log that is there.
        """

    async def outbox(self, state: NoticeState | None = None, event: str = "") -> list[Notice]:
        """Notices in one state, or in any, of one event or of all, by when they were made."""

    async def update_notices(self, notices: Sequence[Notice]) -> None:
        """Put these in the place of their earlier forms, in one durable transaction."""

    async def latest_platforms(self) -> list[PlatformVerdict]:
        """The newest platform verdict of every vantage and platform."""

    async def latest_health(self) -> list[VantageHealth]:
        """The newest health of every vantage."""

    async def latest_verdicts(self) -> list[Verdict]:
        """The newest verdict of every vantage and endpoint."""

    async def recent_platforms(self, since: datetime) -> list[PlatformVerdict]:
        """Platform verdicts judged at or after `since`, oldest first, to restart a detector."""

    async def recent_health(self, since: datetime) -> list[VantageHealth]:
        """Health of vantages at or after `since`, oldest first, to restart a detector."""

    async def conclusions(self) -> list[Conclusion]:
        """What was concluded of everything when it was last saved."""

    async def active_events(self) -> list[Event]:
        """Events that have neither ended nor been dismissed."""

    def cycles(self, selection: Selection) -> AsyncIterator[Sequence[StoredCycle]]:
        """Stored cycles by the time they finished, in batches; `since` and `until` select by that
        time, `platform` selects nothing."""

    def measurements(self, selection: Selection) -> AsyncIterator[Sequence[Measurement]]:
        """Stored measurements by start time, in batches, holding no more than one in memory.

        What arrives while a listing is under way may or may not appear in it.
        """

    def platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """Stored platform verdicts by judging time, in batches."""

    def verdicts(self, selection: Selection) -> AsyncIterator[Sequence[Verdict]]:
        """Stored verdicts by judging time, in batches."""

    def received_cycles(self, country: str) -> AsyncIterator[Sequence[StoredCycle]]:
        """All stored cycles of a country, of all without one, in the order they were received, in
        batches: cycles whose verdicts `received_platforms` lists come in the same order."""

    def received_platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """Platform verdicts in the order their cycles were received, in batches: what a replay
        must follow. `since` and `until` select by judging time; those of one cycle stand
        together, in no promised order."""

    def events(self, selection: Selection) -> AsyncIterator[Sequence[Event]]:
        """Events by detection time, in batches; `since` and `until` select by overlap.

        An event runs from `onset_earliest` (`onset_latest` when that is unknown) to `end_latest`,
        or on and on while it is active.
        """

    def availability(self, selection: Selection) -> AsyncIterator[Sequence[Availability]]:
        """How much of each hour or day a platform could be reached, by country, platform, time and
        network, in batches; `since` and `until` select by when the hour or day began."""

    def rows(
        self, kind: Listed, groups: Sequence[Group], selection: Selection, rejudging: str = ""
    ) -> AsyncIterator[Page]:
        """The stored rows behind `measurements`, `verdicts` or `availability`, in the same order,
        in batches; `after` and `batch` of the selection are not looked at. With `rejudging` those
        of that recomputation; ValueError for what is never recomputed."""

    def event_log(self, event_id: str) -> AsyncIterator[Sequence[EventLogEntry]]:
        """The history of one event, oldest first."""

    async def add_review(self, review: Review) -> None:
        """Store a person's mark on an event, for ever, without touching the event or its log.

        StorageError when there is no such event. The same review again changes nothing.
        """

    async def reviews(self, event_id: str = "") -> list[Review]:
        """The reviews of one event, or of all, by the time they were given."""

    async def add_annotations(self, annotations: Sequence[Annotation]) -> int:
        """Store them in one durable transaction; returns how many were not there before."""

    async def remove_annotations(self, ids: Collection[str]) -> int:
        """Forget the annotations of these ids; returns how many there were."""

    async def annotations(
        self,
        country: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        platform: str = "",
    ) -> list[Annotation]:
        """Annotations by when they begin: of one country or all, those that touch the time from
        `since` (inclusive) to `until` (exclusive). With a platform: of that one, and of none in
        particular."""

    def prune(self, what: Prunable, before: datetime) -> AsyncIterator[int]:
        """Delete rows of one table that are older than `before`, a few in each of many short
        transactions; gives after each how many those were. Whoever stops in between has deleted
        so much and no more."""

    async def save_rejudged(
        self,
        rejudging: Rejudging,
        verdicts: Sequence[Verdict] = (),
        platforms: Sequence[PlatformVerdict] = (),
        events: Sequence[Event] = (),
    ) -> None:
        """Store a part of a recomputation beside what was stored before, in one durable
        transaction. `rejudging` replaces what the part before said of it."""

    async def rejudgings(self) -> list[Rejudging]:
        """Every recomputation, oldest first, those cut short among them."""

    def rejudged_verdicts(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Verdict]]:
        """As `verdicts`, of one recomputation; nothing for an id that does not exist."""

    def rejudged_platforms(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """As `platforms`, of one recomputation."""

    def rejudged_events(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Event]]:
        """As `events`, of one recomputation."""
