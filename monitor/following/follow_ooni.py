"""Follows OONI's measurements: lists from where the last poll ended, whole ones as far as they go.

A poll asks again for the two hours before, since phones upload late, and once a day from three days
before it last did so: what was uploaded while OONI or shutwatch was away is not lost. Whatever
comes twice is stored once. Each part of a list is stored, with how far it reaches, before the next
is asked for, so an interrupted poll goes on where it stopped.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.config.settings import SourceSettings
from monitor.following.ooni_opinions import OoniOpinions
from monitor.following.ooni_questions import questions
from monitor.following.ooni_rows import ListReader
from monitor.following.ooni_versions import OoniVersions
from monitor.following.ooni_whole import JUDGED_BACK, WholeMeasurements
from monitor.following.quota import charged, may_judge, may_list
from monitor.following.sourced_events import WINDOW
from monitor.replay.platform_of import PlatformLookup
from monitor.sources.elsewhere import asked_with, digest_in
from monitor.sources.fault import due
from monitor.sources.ooni_client import FIRST, OoniClient
from probes.catalog.catalog import Catalog
from probes.layers.bogon import BogonList
from storage.store import Store
from storage.values.sourced import SourcedRow, SourceState

HISTORY = timedelta(days=14)
"""How far back the first poll reads: what is usual on a network is learned from it."""
OVERLAP = timedelta(hours=2)
SETTLING = timedelta(minutes=10)
"""The newest measurements are still being processed there."""
_WINDOW = timedelta(days=7)
"""Longest time range of one question."""
SWEEP_EVERY, SWEEP_BACK = timedelta(days=1), timedelta(days=3)
_LATE = "late "
"""Begins the name of a question that looks for late uploads; alone it names when that began."""
_DEAREST = 0.25
"""Share of the budget that a request is expected to take at most, whatever the last one took: that
may have been slow, or others behind the same address used the quota meanwhile."""
_SEEN = 20_000
"""Ids of recent rows from which on those of older ones are forgotten."""
_STAMP = "%Y-%m-%dT%H:%M:%S"


class OoniFollower:
    """Reads one `[[source]]` of kind `ooni`."""

    def __init__(
        self,
        source: SourceSettings,
        catalog: Catalog,
        store: Store,
        client: OoniClient,
        *,
        now: Callable[[], datetime],
        bogons: BogonList | None = None,
    ) -> None:
        """`catalog` names all platforms; `now` gives UTC."""
        self._source = source
        self._store = store
        self._client = client
        self._now = now
        countries = (*source.countries, *source.beside)
        self._questions = questions(catalog, countries, source.run_link)
        self._reader = ListReader(PlatformLookup(catalog), countries)
        self._seen: dict[str, datetime] = {}
        """Ids of recent rows, stored already."""
        self._list_units = 10
        self._most_left = 0
        self._opinions = OoniOpinions(
            source, catalog, store, client, now=now, room=self._room, charge=self._charge
        )
        self._versions = OoniVersions(
            source, catalog, store, client, now=now, room=self._room, charge=self._charge
        )
        self._whole = WholeMeasurements(
            source,
            catalog,
            client,
            now=now,
            room=self._room,
            charge=self._charge,
            replace=self._replace,
            bogons=bogons or BogonList(),
        )
        self.state = SourceState()

    async def restore(self) -> None:
        """Go on where another process stopped. StorageError."""
        kind = str(self._source.kind)
        self.state = (await self._store.source_states()).get(kind, SourceState())
        await self._opinions.restore()
        async for page in self._store.sourced_rows(kind, self._now() - WINDOW):
            self._remember(page)
        digest = hashlib.sha256(msgspec.json.encode(self._questions)).hexdigest()[:16]
        if digest_in(self.state.asked) != digest:
            self.state = msgspec.structs.replace(self.state, cursors={}, swept_at=self._now())
        countries = (*self._source.countries, *self._source.beside)
        self.state = msgspec.structs.replace(self.state, asked=asked_with(digest, countries))

    async def keep(self) -> None:
        """Store what it knows of itself. StorageError."""
        await self._store.add_sourced((), str(self._source.kind), self.state)

    async def poll(self) -> None:
        """Read what is new. Raises SourceFault and StorageError; what was read before is stored."""
        if await self._read_lists():
            self.state = msgspec.structs.replace(self.state, answered_at=self._now())
            await self._opinions.poll()
        await self._whole.judge()

    async def name_versions(self, country: str, platform: str, begun: datetime) -> bool:
        """Have the rows about what seems blocked since `begun` (UTC) name the versions of the test
        that made them, and those wait of which nobody knows yet how they were made; whether any row
        changed. Raises SourceFault and StorageError."""
        named = await self._versions.of(country, platform, begun)
        if named:
            await self._replace(named)
            self._whole.renew(named)
        known = await self._store.sourced_events(str(self._source.kind))
        reported = [
            one
            for one in known
            if one.active and (one.country, one.platform) == (country, platform)
        ]
        if any(one.event.confirmed_at for one in reported):
            return bool(named)
        # Rows that showed an event go on to count: it would be withdrawn while they wait.
        counted = max((one.first_seen_at for one in reported), default=None)
        waiting = await self._whole.wait(country, platform, counted)
        return waiting or bool(named)

    @property
    def freed(self) -> int:
        """Rows that waited, and count now though their measurement did not come."""
        return self._whole.freed

    async def close(self) -> None:
        """Release its connections."""
        await self._client.close()

    # -- lists -----------------------------------------------------------------------------------

    async def _read_lists(self) -> bool:
        """Whether everything there was is read; False when the budget ended before."""
        until = self._now() - SETTLING
        for name, filters in self._questions:
            cursor = self.state.cursors.get(name)
            since = until - HISTORY if cursor is None else min(cursor, until) - OVERLAP
            if not await self._read(name, filters, since, until):
                return False
        swept = self.state.swept_at
        if due(swept, SWEEP_EVERY, self._now()):
            begun = self.state.cursors.get(_LATE, self._now())
            cursors = {**self.state.cursors, _LATE: begun}
            self.state = msgspec.structs.replace(self.state, cursors=cursors)
            back = max(min(until, swept or until) - SWEEP_BACK, until - WINDOW)
            for name, filters in self._questions:
                since = self.state.cursors.get(_LATE + name, back)
                if not await self._read(_LATE + name, filters, since, until - OVERLAP):
                    return True  # the present is read; the rest of the past comes later
            kept = {n: at for n, at in self.state.cursors.items() if not n.startswith(_LATE)}
            self.state = msgspec.structs.replace(self.state, cursors=kept, swept_at=begun)
        return True

    async def _read(
        self, name: str, filters: dict[str, str], since: datetime, until: datetime
    ) -> bool:
        while since < until:
            end = min(since + _WINDOW, until)
            query = {
                **filters,
                "since": f"{since:{_STAMP}}",
                "until": f"{end:{_STAMP}}",
                "order_by": "measurement_start_time",
                "order": "asc",
            }
            part: Mapping[str, str] | None = FIRST
            while part is not None:
                budget, now = self._source.budget, self._now()
                if not may_list(self.state, budget, self._expected(self._list_units), now):
                    return False
                try:
                    page = await self._client.page(query, part)
                finally:
                    self._charge(now)
                self._list_units = self._client.taken
                part = page.following
                self._reader.malformed += page.malformed
                # Both ends are asked for without what is left of a second.
                rows = self._reader.rows(page.results, now, since.replace(microsecond=0), end)
                reached = end if part is None else _newest(rows, since)
                await self._keep(name, rows, reached, end)
            since = end
        return True

    def _room(self, units: int) -> bool:
        expected, budget = self._expected(units), self._source.budget
        return may_judge(self.state, budget, expected, self._most_left, self._now())

    def _expected(self, units: int) -> int:
        """How many units a request may take, where the last one seemed to take so many."""
        return min(units, int(self._source.budget * _DEAREST))

    def _charge(self, now: datetime) -> None:
        state = charged(self.state, self._client.taken, now)
        self.state = msgspec.structs.replace(state, remaining=self._client.remaining)
        self._most_left = max(self._most_left, self._client.remaining or 0)

    async def _keep(
        self, name: str, rows: list[SourcedRow], reached: datetime, end: datetime
    ) -> None:
        """Store rows with how far the list is read now, never beyond the `end` of what was asked
        for."""
        new = list({row.uid: row for row in rows if row.uid not in self._seen}.values())
        at = min(max(reached, self.state.cursors.get(name, reached)), end)
        newest = [row.measured_at for row in new]
        known = [] if self.state.newest_at is None else [self.state.newest_at]
        state = msgspec.structs.replace(
            self.state,
            cursors={**self.state.cursors, name: at},
            malformed=self.state.malformed + self._reader.malformed,
            newest_at=max((*newest, *known), default=None),
        )
        self._reader.malformed = 0
        added = await self._store.add_sourced(new, str(self._source.kind), state)
        self.state = msgspec.structs.replace(
            state, rows=state.rows + added, repeated=state.repeated + len(rows) - added
        )
        self._remember(new)

    async def _replace(self, rows: Sequence[SourcedRow], judged: int = 0) -> None:
        """Store rows as they are now, so many of them judged."""
        state = msgspec.structs.replace(self.state, judged=self.state.judged + judged)
        await self._store.replace_sourced(rows, str(self._source.kind), state)
        self.state = state

    def _remember(self, rows: Sequence[SourcedRow]) -> None:
        """Note rows that are stored, and which of them our rules may judge."""
        oldest = self._now() - JUDGED_BACK
        self._seen |= {row.uid: row.measured_at for row in rows}
        self._whole.add(rows)
        if len(self._seen) > _SEEN:
            self._seen = {uid: at for uid, at in self._seen.items() if at >= oldest}


def _newest(rows: list[SourcedRow], otherwise: datetime) -> datetime:
    """How far a part of a list reaches that is not the last: up to its newest row."""
    return max((row.measured_at for row in rows), default=otherwise).astimezone(UTC)
