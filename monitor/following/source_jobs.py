"""One job for each `[[source]]`: it polls in time, leaves a source alone that fails, and folds what
came into events."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from monitor.analysis.events.event import Event
from monitor.config.catalog import shipped_catalog
from monitor.config.settings import Settings, SourceSettings
from monitor.following.follow_globalping import GlobalpingFollower
from monitor.following.follow_ioda import IodaFollower
from monitor.following.follow_ooni import OoniFollower
from monitor.following.found_open import found_open
from monitor.following.sourced_events import (
    events_in,
    folded_since,
    merged,
    no_longer_asked,
    out_of_sight,
    row_of,
)
from monitor.following.unforeseen import fault_in, unforeseen
from monitor.logs import logger
from monitor.replay.changed_versions import ChangedVersions
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import PlatformLookup
from monitor.sources.fault import SourceFault, after_answer, after_fault, due, left_alone
from monitor.sources.globalping_client import GlobalpingClient
from monitor.sources.ioda_client import IodaClient
from monitor.sources.ooni_client import OoniClient
from monitor.sources.terms import TERMS, SourceKind
from probes.catalog.catalog import Catalog
from probes.layers.bogon import BogonList
from probes.sockets.http_client import httpx
from storage.store import NotLeadingError, StorageError, Store
from storage.values.sourced import SourcedEvent, SourceState

log = logger(__name__)

_LOOK = 5.0
"""Seconds between two looks whether the configuration names other sources."""
_FOLD_SPARES = 20.0
"""Times as long as a fold took until the next: a twentieth of one processor at most."""
_FOLD_ANYWAY = 3600.0
"""Seconds after which events are folded though nothing came: silence is news too."""


class Follower(Protocol):
    """Reads one source. Its rows are in the store; what it knows of itself is `state`."""

    state: SourceState

    async def restore(self) -> None:
        """Go on where another process stopped. StorageError."""

    async def poll(self) -> None:
        """Read what is new. Raises SourceFault and StorageError; what was read before is stored."""

    async def keep(self) -> None:
        """Store what it knows of itself. StorageError."""

    async def close(self) -> None:
        """Release its connections."""


class SourceJob:
    """Polls one source until cancelled."""

    def __init__(
        self,
        source: SourceSettings,
        settings: Settings,
        store: Store,
        *,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`now` gives UTC; `transport` replaces the network."""
        self._source = source
        self._settings = settings
        self._store = store
        self._now = now
        catalog = _every_platform(settings.catalog)
        self._lookup = PlatformLookup(catalog)
        self._follower = _follower(source, settings, catalog, store, now, transport)
        self._folded_at: datetime | None = None
        self._fold_took = 0.0
        """Seconds of the last fold."""
        self._stale = True
        """Whether rows changed since."""

    async def run(self) -> None:
        """Until cancelled. NotLeadingError."""
        restored = False
        try:
            while True:
                try:
                    if not restored:
                        await self.begin()
                        restored = True
                    await self.round()
                except NotLeadingError:
                    raise
                except StorageError as error:
                    kind = str(self._source.kind)
                    log.error("source not stored, trying again", source=kind, error=str(error))
                except Exception as error:  # noqa: BLE001 - noted without its text
                    unforeseen(error, str(self._source.kind))
                await asyncio.sleep(self._source.every)
        finally:
            await self.close()

    async def begin(self) -> None:
        """Go on where another process stopped. StorageError."""
        await self._follower.restore()
        kind = self._source.kind
        if TERMS[kind].caution:
            log.warning(TERMS[kind].caution, source=str(kind))

    async def close(self) -> None:
        """Release its connections."""
        await self._follower.close()

    async def round(self) -> None:
        """One poll, unless the source is to be left alone, and what follows from it."""
        follower, now = self._follower, self._now()
        kind = str(self._source.kind)
        if not left_alone(follower.state, now):
            seen = self._changes()
            fault = await fault_in(follower.poll(), kind)
            if fault is None:
                follower.state = after_answer(follower.state)
            else:
                self._leave_alone(fault)
            self._stale |= seen != self._changes()
            await follower.keep()
        if self._source.kind is SourceKind.OONI and self._may_fold(now):
            began = time.perf_counter()
            fault = await fault_in(self._fold(), kind)
            self._fold_took = time.perf_counter() - began
            # The same rows would fail again: other rows or an hour later is soon enough.
            self._folded_at, self._stale = now, False
            if fault is not None:
                self._leave_alone(fault)
                await follower.keep()

    def _leave_alone(self, fault: SourceFault) -> None:
        self._follower.state = after_fault(self._follower.state, fault, self._now())
        log.warning(
            "source cannot be read, leaving it alone",
            source=str(self._source.kind),
            reason=str(fault),
            until=str(self._follower.state.not_before),
        )

    def _changes(self) -> tuple[int, int, int]:
        """Rows that came, were judged, and wait no longer."""
        state = self._follower.state
        freed = self._follower.freed if isinstance(self._follower, OoniFollower) else 0
        return state.rows, state.judged, freed

    def _may_fold(self, now: datetime) -> bool:
        """Whether something changed, or silence did, and folding again would not take more than its
        share of the time."""
        every = _FOLD_SPARES * self._fold_took if self._stale else _FOLD_ANYWAY
        return due(self._folded_at, timedelta(seconds=every), now)

    async def _fold(self) -> None:
        """Have the stored events be those that the stored rows show."""
        now, kind = self._now(), str(self._source.kind)
        known = await self._store.sourced_events(kind)
        asked = [one for one in known if self._asks_about(one)]
        since = folded_since(asked, now)
        rows, found = await self._found(since, now)
        if await self._name_versions(rows, found):
            rows, found = await self._found(since, now)
        places = out_of_sight(found, asked)
        opened = await asyncio.to_thread(
            found_open, rows, places, self._lookup, self._settings.events
        )
        del rows
        changes = merged(found, asked, kind, now, opened)
        changes += no_longer_asked([one for one in known if not self._asks_about(one)], now)
        if changes:
            await self._store.save_sourced_events(changes)
        for one in changes:
            log.info(
                "event seen by volunteers",
                source=kind,
                event_id=one.id,
                country=one.country,
                platform=one.platform,
                state=str(one.event.state),
            )

    @property
    def _platforms(self) -> Collection[str]:
        """Whose events are looked for."""
        every = tuple(one.name for one in self._settings.catalog.platforms)
        return self._source.platforms or every

    def _asks_about(self, one: SourcedEvent) -> bool:
        return one.country in self._source.countries and one.platform in self._platforms

    async def _found(self, since: datetime, now: datetime) -> tuple[list[Row], list[Event]]:
        """The rows stored of that time, and the events that they show."""
        rows: list[Row] = []
        async for page in self._store.sourced_rows(str(self._source.kind), since):
            rows += [row_of(one) for one in page if not one.left_out]
        found = await asyncio.to_thread(
            events_in,
            rows,
            self._lookup,
            self._settings.events,
            self._source.countries,
            self._platforms,
            now,
        )
        return rows, found

    async def _name_versions(self, rows: Sequence[Row], found: Sequence[Event]) -> bool:
        """Have rows about blocks that begin, or that a version may excuse, name the versions that
        made them, before any event is reported; whether some now do that did not."""
        follower = self._follower
        if not isinstance(follower, OoniFollower):
            return False
        asked = [
            (one.country, one.platform, one.onset_earliest or one.onset_latest)
            for one in found
            if one.active
        ]
        asked += await asyncio.to_thread(lambda: ChangedVersions(rows).doubts)
        named = False
        try:
            for country, platform, begun in asked:
                if country in self._source.countries:
                    named |= await follower.name_versions(country, platform, begun)
        except SourceFault as fault:
            follower.state = after_fault(follower.state, fault, self._now())
            await follower.keep()
            log.warning("versions of a test not asked for", reason=str(fault))
        return named


def _follower(
    source: SourceSettings,
    settings: Settings,
    catalog: Catalog,
    store: Store,
    now: Callable[[], datetime],
    transport: httpx.AsyncBaseTransport | None,
) -> Follower:
    """What reads a source of this kind."""
    if source.kind is SourceKind.IODA:
        return IodaFollower(source, store, IodaClient(source.api, transport), now=now)
    if source.kind is SourceKind.GLOBALPING:
        asker = GlobalpingClient(source.api, transport, token=source.token)
        return GlobalpingFollower(source, settings, store, asker, now=now)
    if source.kind is SourceKind.ATLAS:
        from monitor.following.follow_atlas import AtlasFollower  # loads cryptography
        from monitor.sources.atlas_client import AtlasClient

        atlas = AtlasClient(source.api, transport, key=source.token)
        return AtlasFollower(source, settings, store, atlas, now=now)
    client = OoniClient(source.api, transport)
    bogons = BogonList(settings.probe.bogon_allow)
    return OoniFollower(source, catalog, store, client, now=now, bogons=bogons)


class SourceJobs:
    """The jobs of all sources in the configuration in use."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        *,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`settings` gives those in use; `now` gives UTC; `transport` replaces the network."""
        self._settings = settings
        self._store = store
        self._now = now
        self._transport = transport

    async def run(self) -> None:
        """Until cancelled; other settings begin the jobs anew. NotLeadingError in a group."""
        while True:
            settings = self._settings()
            if not settings.sources:
                await asyncio.sleep(_LOOK)
                continue
            async with asyncio.TaskGroup() as jobs:
                tasks = [
                    jobs.create_task(self._job(source, settings).run())
                    for source in settings.sources
                ]
                # Nothing announces that the configuration was replaced.
                while _same(settings, self._settings()):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK)
                for task in tasks:
                    task.cancel()

    def _job(self, source: SourceSettings, settings: Settings) -> SourceJob:
        return SourceJob(source, settings, self._store, now=self._now, transport=self._transport)


def _same(old: Settings, new: Settings) -> bool:
    named: Sequence[str] = ("sources", "catalog", "events", "probe")
    return all(getattr(old, name) == getattr(new, name) for name in named)


def _every_platform(catalog: Catalog) -> Catalog:
    """The configured catalogue, and the shipped platforms that it does not watch: a network where
    they fail too is no proof of a block."""
    named = {platform.name for platform in catalog.platforms}
    rest = (one for one in shipped_catalog().platforms if one.name not in named)
    return msgspec.structs.replace(catalog, platforms=(*catalog.platforms, *rest))
