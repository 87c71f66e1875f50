"""What the rest of the program may ask of a store: the protocols that every store implements.

What a method does is documented here and nowhere else: implementations carry no docstrings of
their own.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Protocol

from monitor.analysis.coverage import Tally
from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement
from storage.values.acts import Acknowledgement, Act, Mute
from storage.values.checkpoint import Checkpoint
from storage.values.cycle import Cycle, StoredCycle
from storage.values.database_size import DatabaseSize
from storage.values.fleet import (
    EndpointKey,
    Enrolment,
    Invitation,
    Quarantine,
    ReceivedBatch,
    Reception,
    SeenCycle,
    WaitingCycle,
)
from storage.values.history_cell import HistoryCell
from storage.values.log import HeadStamp, LogHead, LogPlace
from storage.values.names import Names
from storage.values.outbox import Notice, NoticeState
from storage.values.prunable import Prunable
from storage.values.rejudging import Rejudging
from storage.values.reviews import Annotation, Review
from storage.values.rollup import Availability
from storage.values.row_kind import RowKind
from storage.values.selection import Selection
from storage.values.sourced import SourcedCount, SourcedEvent, SourcedRow, SourceState
from storage.values.verified_before import VerifiedBefore
from storage.values.withheld import Withheld


class StorageError(Exception):
    """The store could not do what it was asked. The message says what, and for which database."""


class WrongDatabaseError(StorageError):
    """Where the database should be is nothing, or another program's: the settings name it wrong."""


class NotLeadingError(StorageError):
    """Another process leads; nothing was written."""


class InUseError(StorageError):
    """Another process records in the database."""


class Recording(Enum):
    """Who records cycles in a store for as long as it is open. Opening it raises InUseError where
    another one is in the way. PostgreSQL lets go of the claim with a lost connection: then writing
    raises the same where another one took it."""

    ALONE = "alone"
    """`shutwatch run`: nobody else may record there."""
    COLLECTOR = "collector"
    """Other collectors may, too: one of them leads."""


class SourceStore(Protocol):
    """What others measured, apart from our own. All methods raise StorageError."""

    async def add_sourced(self, rows: Sequence[SourcedRow], source: str, state: SourceState) -> int:
        """Store measurements of a source, and how far it was read, in one durable transaction.
        Returns how many were new: one that is stored already stays as it is."""

    async def replace_sourced(
        self, rows: Sequence[SourcedRow], source: str, state: SourceState
    ) -> None:
        """Replace stored rows of a source by what is known of them now, in one durable
        transaction."""

    async def save_sourced_events(self, events: Sequence[SourcedEvent]) -> None:
        """Store events of sources; each replaces its form before."""

    async def source_states(self) -> dict[str, SourceState]:
        """Source → how far it was read."""

    def sourced_rows(self, source: str, since: datetime) -> AsyncIterator[Sequence[SourcedRow]]:
        """Rows of a source measured at or after `since`, by that time, in batches."""

    async def sourced_events(
        self, source: str = "", *, since: datetime | None = None
    ) -> list[SourcedEvent]:
        """Events of one source, or of all, by the time they were first seen; with `since` only
        those that are active or were updated at or after it."""

    async def sourced_counts(
        self, country: str, platform: str, spans: Sequence[tuple[datetime, datetime]]
    ) -> list[SourcedCount]:
        """What sources have of a country, by source, platform and network, measured in one of these
        spans, each to before its end; of one platform, or of all."""


class ActStore(Protocol):
    """What people do, and what they decided for a time. All methods raise StorageError.

    Wherever a method takes an `act`, it adds that line to the audit log in its own transaction, and
    only when it changed something.
    """

    async def note(self, act: Act) -> None:
        """Add a line to the audit log. No line of it can be changed or deleted."""

    async def acts(self, since: datetime | None = None, until: datetime | None = None) -> list[Act]:
        """The audit log from `since` (inclusive) to `until` (exclusive), oldest first."""

    async def mute(self, mute: Mute, act: Act | None = None) -> None:
        """Store a mute; it replaces the one of the same country or event."""

    async def unmute(self, country: str, event: str, act: Act | None = None) -> bool:
        """End a mute; False when there is none."""

    async def mutes(self) -> list[Mute]:
        """All mutes, also those whose time is over, by country and event."""

    async def acknowledge(self, made: Acknowledgement, act: Act | None = None) -> None:
        """Store that a person knows of a finding."""

    async def acknowledgements(self) -> list[Acknowledgement]:
        """All of them, by finding."""


class Store(SourceStore, ActStore, Protocol):
    """Measurements, verdicts and events of one installation. All methods raise StorageError."""

    async def open(self) -> None:
        """Open the database, and migrate its tables to this version."""

    async def close(self) -> None:
        """Finish what is under way and release the database. A second call does nothing."""

    async def lead(self) -> bool:
        """Try to become the one process, of all that have this database open, that judges. Returns
        whether this store leads now. A leader must call this again at least every ten seconds; the
        answer also says whether it still leads.

        From the first call on, `save` and `update_notices` raise NotLeadingError, and write
        nothing, unless this store leads. A store that never calls it writes freely. `close`
        releases the lead. The lead is also lost with the connection: within 30 seconds when the
        process, its machine or the network fails. A store of one process leads as soon as it asks.
        """

    @property
    def leading(self) -> bool:
        """Whether this store led when it last asked or wrote."""

    async def save(
        self,
        cycle: Cycle | None,
        events: Sequence[Event] = (),
        log: Sequence[EventLogEntry] = (),
        checkpoints: Sequence[Checkpoint] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        """Store a whole cycle, its effect on `latest` and on events, and the notices of these
        changes, in one durable transaction. Without a cycle: what time alone changed in events.

        To save the same cycle or measurement again changes nothing. An older cycle that arrives
        late is added to history and leaves `latest` alone. A conclusion replaces the one before it.
        A notice that is stored already stays as it is; each must name a stored line of the log.

        A caller that is cancelled while it waits cannot know whether the cycle was stored: it is
        stored whole or not at all, and may be saved again.
        """

    async def outbox(self, state: NoticeState | None = None, event: str = "") -> list[Notice]:
        """Notices by creation time: in one state or any, of one event or all."""

    async def update_notices(self, notices: Sequence[Notice]) -> None:
        """Replace the stored forms of these notices, or add them, in one durable transaction."""

    @property
    def target_key(self) -> bytes:
        """The secret by which notices name targets, as of `open`; empty before there is one."""

    async def keep_target_key(self, key: bytes, renamed: Mapping[tuple[str, str], str]) -> None:
        """Store the first such key, and give notices of these routes and targets other targets, in
        one durable transaction. Where there is one already, only that is read again."""

    async def keep_verified(self, known: VerifiedBefore) -> None:
        """Store what a vantage knows of its network, in place of what was stored of it."""

    async def verified_before(self) -> list[VerifiedBefore]:
        """What each vantage knew of its network."""

    async def latest_platforms(self) -> list[PlatformVerdict]:
        """The newest platform verdict of every vantage and platform."""

    async def latest_health(self) -> list[VantageHealth]:
        """The newest health of every vantage."""

    async def latest_verdicts(self) -> list[Verdict]:
        """The newest verdict of every vantage and endpoint."""

    async def recent_platforms(
        self, since: datetime, country: str = "", platform: str = ""
    ) -> list[PlatformVerdict]:
        """Platform verdicts judged at or after `since`, oldest first, to restart a detector. What
        is empty selects everything."""

    async def recent_health(self, since: datetime) -> list[VantageHealth]:
        """Health of vantages at or after `since`, oldest first, to restart a detector."""

    async def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints saved last."""

    async def keep_checkpoints(self, checkpoints: Sequence[Checkpoint], since: datetime) -> None:
        """Store these, all with an `until`, beside those kept before, and forget the older ones of
        the same timelines, of before `since`, in one durable transaction."""

    async def earlier_checkpoint(
        self, country: str, platform: str, kind: str, before: datetime
    ) -> Checkpoint | None:
        """The newest kept checkpoint of a timeline, of that kind, with `until` before a moment."""

    async def drop_checkpoints(self, country: str, platform: str, since: datetime) -> None:
        """Forget those kept of a timeline with `until` at or after a moment: they lack something
        that came late."""

    async def active_events(self) -> list[Event]:
        """Events that have neither ended nor been dismissed, by detection time."""

    def cycles(self, selection: Selection) -> AsyncIterator[Sequence[StoredCycle]]:
        """Cycles by the time they finished, in batches. `since` and `until` select by that time;
        `platform` selects nothing."""

    def measurements(self, selection: Selection) -> AsyncIterator[Sequence[Measurement]]:
        """Measurements by start time, in batches, with no more than one batch in memory.

        A measurement that arrives while a listing is under way may or may not appear in it.
        """

    def platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """Platform verdicts by judging time, in batches."""

    def verdicts(self, selection: Selection) -> AsyncIterator[Sequence[Verdict]]:
        """Verdicts by judging time, in batches."""

    def received_cycles(self, country: str) -> AsyncIterator[Sequence[StoredCycle]]:
        """Cycles of a country in the order they were received, in batches; without a country those
        of all. Cycles whose verdicts `received_platforms` lists come in the same order."""

    def received_platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """Platform verdicts in the order their cycles were received, in batches: the order a replay
        must follow. `since` and `until` select by judging time. Those of one cycle come together,
        in no promised order."""

    def events(self, selection: Selection) -> AsyncIterator[Sequence[Event]]:
        """Events by detection time, in batches. `since` and `until` select by overlap.

        An event lasts from `onset_earliest` (`onset_latest` when that is unknown) to `end_latest`;
        an active event has no end.
        """

    def availability(self, selection: Selection) -> AsyncIterator[Sequence[Availability]]:
        """Availability of platforms by the hour, day or month of a time zone, in batches, by
        country, platform, time and network. Of a period that `since` or `until` cuts only the rest
        is counted."""

    async def cells(self, selection: Selection, length: timedelta) -> list[HistoryCell]:
        """Availability of platforms in cells of that length, the first of which begins with
        `since`, by country, platform, time and network: those of which anything is stored. `since`
        and `until` are whole hours of UTC and must be given. A cell is made of days, or of hours
        where it is shorter than a day."""

    async def tallies(self, selection: Selection) -> list[Tally]:
        """How many platform verdicts of field vantages were decided and undecided, by country,
        platform and network, in order; only what has a verdict is listed. `since` and `until`
        select by judging time; `state`, `vantage` and `event` select nothing.

        The time it takes hardly grows with the time selected. So causes are counted only where the
        verdicts are not too many; where they are, and where verdicts are deleted, they are unknown.
        What a vantage decided in quarantine counts as undecided, for an unknown cause, as far as
        its verdicts are stored.
        """

    def rows(
        self, kind: RowKind, columns: Sequence[str], selection: Selection, rejudging: str = ""
    ) -> AsyncIterator[Sequence[Sequence[Any]]]:
        """The stored rows behind `measurements`, `verdicts` or `availability`, in the same order,
        in batches. Each row begins with the cells of `columns`, as they are stored; more cells may
        follow. `after` and `batch` of the selection are ignored.

        With `rejudging` the rows of that recomputation; ValueError for a kind that is never
        recomputed."""

    def event_log(self, event_id: str) -> AsyncIterator[Sequence[EventLogEntry]]:
        """The history of one event, oldest first."""

    async def last_log_lines(self, events: Collection[str]) -> list[EventLogEntry]:
        """The last line of the history of each of these events."""

    async def add_review(self, review: Review, act: Act | None = None) -> None:
        """Store a person's mark on an event permanently. The event and its log stay as they are.

        StorageError when there is no such event. The same review again changes nothing.
        """

    async def reviews(self, event_id: str = "") -> list[Review]:
        """The reviews of one event, or of all, by the time they were given."""

    async def add_annotations(
        self, annotations: Sequence[Annotation], act: Act | None = None
    ) -> int:
        """Store annotations in one durable transaction; returns how many were new."""

    async def remove_annotations(self, ids: Collection[str], act: Act | None = None) -> int:
        """Delete the annotations with these ids; returns how many there were."""

    async def save_withheld(self, found: Sequence[Withheld]) -> None:
        """Store what platforms withhold in a country; each replaces its form before."""

    async def withheld(
        self, country: str = "", since: datetime | None = None, until: datetime | None = None
    ) -> list[Withheld]:
        """What platforms withheld, by when that was first seen: what overlaps the time from `since`
        (inclusive) to `until` (exclusive)."""

    async def annotations(
        self,
        country: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        platform: str = "",
    ) -> list[Annotation]:
        """Annotations by their start, of one country or all, that overlap the time from `since`
        (inclusive) to `until` (exclusive). With a platform: annotations of that platform, and those
        of no particular one."""

    async def names(self) -> Names:
        """The countries, platforms, networks and vantages of everything stored. It takes as long as
        reading all daily counts, so ask only for a name that is known from nowhere else."""

    def prune(self, what: Prunable, before: datetime) -> AsyncIterator[int]:
        """Delete rows of one table that are older than `before`: whole partitions where there are
        any, else a few rows in each of many short transactions. Gives how many were deleted after
        each step. A caller that stops early leaves the rest undeleted.

        Where there is an archive, rows of `ARCHIVED_TABLES` move there, whole days at a time, and
        are listed as before."""

    async def size(self) -> DatabaseSize:
        """How large the database is; an archive is not in it."""

    async def oldest_measurement(self) -> datetime | None:
        """The start of the oldest measurement in the database; None when there is none. An archive
        is not asked."""

    async def save_rejudged(
        self,
        rejudging: Rejudging,
        verdicts: Sequence[Verdict] = (),
        platforms: Sequence[PlatformVerdict] = (),
        events: Sequence[Event] = (),
    ) -> None:
        """Store a part of a recomputation, apart from the first results, in one durable
        transaction. `rejudging` replaces its form in the part before."""

    async def rejudgings(self) -> list[Rejudging]:
        """Every recomputation, oldest first, unfinished ones included."""

    def rejudged_verdicts(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Verdict]]:
        """As `verdicts`, of one recomputation; nothing for an unknown id."""

    def rejudged_platforms(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """As `platforms`, of one recomputation."""

    def rejudged_events(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Event]]:
        """As `events`, of one recomputation."""


class FleetStore(Protocol):
    """Agents, their batches and quarantines. All methods raise StorageError."""

    async def enrol(self, enrolment: Enrolment) -> None:
        """Store a key for a vantage, and revoke its previous key in the same transaction.

        StorageError for a key that was enrolled before, for any vantage: a revoked key is never
        valid again.
        """

    async def revoke(self, vantage: str, at: datetime, reason: str) -> bool:
        """Revoke the vantage's key, and withdraw its open invitation; False when it has neither."""

    async def invite(self, invitation: Invitation) -> None:
        """Store an invitation; it withdraws the vantage's previous one that is still open. Those
        that expired a day before it was made are deleted."""

    async def invitations(self) -> list[Invitation]:
        """All invitations, by vantage and time."""

    async def redeem(self, digest: str, key: str, fingerprint: str, at: datetime) -> bool:
        """Enrol a public key as its invitation says, and mark that as used, in one transaction;
        False, with nothing changed, when there is no open one of that digest.

        Where the vantage has a valid key, that one is revoked. What it has earned by agreeing with
        others goes over to the new key, unless that is of another host, network, country or role.
        StorageError as for `enrol`.
        """

    async def enrolments(self) -> list[Enrolment]:
        """Every key ever enrolled, by vantage and time."""

    async def agree(
        self, fingerprints: Collection[str], seconds: float, needed: float, at: datetime
    ) -> None:
        """Note that the results of these valid keys agreed with those of others for so many seconds
        more. Whichever has `needed` seconds by now weighs in full from `at` (UTC)."""

    async def receive(self, batch: ReceivedBatch, cycles: Sequence[SeenCycle]) -> Reception:
        """Store a batch, its measurements, the newest measurement of each vantage and endpoint,
        hourly counts, and its cycles as waiting to be judged, in one durable transaction.

        The same batch again changes nothing, nor does a cycle or measurement that is stored
        already; measurements of a known cycle are ignored. A caller that is cancelled while it
        waits cannot know whether the batch was stored: it is stored whole or not at all.
        """

    async def add_control_measurements(self, measurements: Sequence[Measurement]) -> None:
        """Store, durably, control measurements made for a cycle that is received later."""

    async def waiting(
        self,
        limit: int,
        skip: Sequence[str] = (),
        *,
        backfilled: bool | None = None,
        now: datetime | None = None,
        order_wait: float = 0.0,
    ) -> list[WaitingCycle]:
        """Cycles that wait to be judged, in the order they ended, except those of the vantages in
        `skip`. `Store.save` of a cycle removes it from this list in its own transaction.

        With `backfilled`, only those that arrived long after they were measured, or only the
        others. With `now` (UTC), only those that need not wait for cycles that ended before them
        any more: that ended or were received `order_wait` seconds ago, or were received later than
        `now`, by a collector whose clock is ahead.
        """

    async def measurements_of(self, cycle: WaitingCycle) -> list[Measurement]:
        """All measurements with a waiting cycle's id, of its vantage and of controls."""

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        """Measurements of controls started from `since` to before `until`, by start: of endpoints
        (purpose `control`) and of references, for whichever cycle they were made."""

    def latest_control_measurements(
        self, since: datetime, places: Collection[EndpointKey] | None = None
    ) -> AsyncIterator[Sequence[Measurement]]:
        """The newest measurement of each control at each endpoint, or at these `places` alone, none
        started before `since`. Of one endpoint they come by start, so that the last one is the
        newest of any control."""

    async def received_batches(self, cycles: Sequence[str]) -> list[ReceivedBatch]:
        """The batches in which these cycles came, by the time received, for people who check the
        evidence."""

    async def quarantine(self, quarantine: Quarantine, act: Act | None = None) -> None:
        """Store a quarantine; it replaces the vantage's previous one. What it covers counts as
        insufficient in `availability`, `cells` and `tallies`."""

    async def release(self, vantage: str, act: Act | None = None) -> bool:
        """End a vantage's quarantine; False when there is none."""

    async def quarantines(self) -> list[Quarantine]:
        """Current quarantines, by vantage."""


class LogStore(Protocol):
    """The append-only log of signed batches, keys and revocations. All methods raise
    StorageError.

    `enrol`, `revoke` and `receive` note what they store for the log in their own transaction.
    """

    async def append_to_log(self) -> LogHead:
        """Add what was noted since the last call; returns the head after it."""

    async def log_places(self, digests: Sequence[str], size: int) -> dict[str, LogPlace]:
        """Where these entries are among the first `size`, with proofs; entries that are not there
        are left out."""

    async def log_consistency(
        self, sizes: Collection[int], size: int
    ) -> dict[int, tuple[str, ...]]:
        """Proofs that the log of each of `sizes` begins that of `size`, which the log has."""

    async def add_head_stamp(self, stamp: HeadStamp) -> None:
        """Store that a head was given away; it replaces the stamp of the same size, kind and
        authority."""

    async def head_stamps(self) -> list[HeadStamp]:
        """All of them, by size."""


class CollectorStore(Store, FleetStore, LogStore, Protocol):
    """Everything a collector stores, in one place."""
