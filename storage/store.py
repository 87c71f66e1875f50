"""What the rest may ask of memory: the Store protocol and the values that cross it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from monitor.analysis.event import Event, EventLogEntry
from monitor.analysis.throttling import TransferVerdict
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement


class StorageError(Exception):
    """The store could not do what it was asked; the message says what, and for which file."""


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
    transfers: tuple[TransferVerdict, ...] = ()
    """Speeds measured in this cycle. Not stored: measurements and verdicts hold it all."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which stored rows are wanted. Empty fields select everything."""

    since: datetime | None = None
    """Inclusive, UTC."""
    until: datetime | None = None
    """Exclusive, UTC."""
    country: str = ""
    platform: str = ""


class Store(Protocol):
    """Memory of one installation. All methods raise StorageError."""

    async def open(self) -> None:
        """Open, migrating the schema to this version first."""

    async def close(self) -> None:
        """Finish what is under way and let go of the database."""

    async def save(
        self, cycle: Cycle, events: Sequence[Event] = (), log: Sequence[EventLogEntry] = ()
    ) -> None:
        """Store a whole cycle, its effect on `latest` and on events, in one durable transaction.

        Saving the same cycle or measurement again changes nothing. An older cycle that arrives
        late adds to history and leaves `latest` alone.
        """

    async def latest_platforms(self) -> list[PlatformVerdict]:
        """The newest platform verdict of every vantage and platform."""

    async def latest_health(self) -> list[VantageHealth]:
        """The newest health of every vantage."""

    async def latest_verdicts(self) -> list[Verdict]:
        """The newest verdict of every vantage and endpoint."""

    async def recent_platforms(self, since: datetime) -> list[PlatformVerdict]:
        """Platform verdicts judged at or after `since`, oldest first, to restart a detector."""

    async def active_events(self) -> list[Event]:
        """Events that have neither ended nor been dismissed."""

    def measurements(self, selection: Selection) -> AsyncIterator[Sequence[Measurement]]:
        """Stored measurements by start time, in batches, holding no more than one in memory.

        What arrives while a listing is under way may or may not appear in it.
        """

    def verdicts(self, selection: Selection) -> AsyncIterator[Sequence[Verdict]]:
        """Stored verdicts by judging time, in batches."""

    def received_platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """Platform verdicts in the order their cycles were received, in batches: what a replay
        must follow. `since` and `until` select by judging time; those of one cycle stand
        together, in no promised order."""

    def events(self, selection: Selection) -> AsyncIterator[Sequence[Event]]:
        """Events by detection time, in batches; `since` and `until` select by overlap.

        An event runs from `onset_earliest` (`onset_latest` when that is unknown) to `end_latest`,
        or on and on while it is active.
        """

    def event_log(self, event_id: str) -> AsyncIterator[Sequence[EventLogEntry]]:
        """The history of one event, oldest first."""
