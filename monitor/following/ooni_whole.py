"""Asks OONI for whole measurements that failed, and has our rules judge them.

OONI's archive may have one hours after the lists do. It is asked for again at distances that grow,
for three days. Until it came nobody knows whether it was made in a VPN, or by which version of the
test. So its row waits while no event about it is confirmed, but for an hour and a half at most.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.config.settings import SourceSettings
from monitor.following.ooni_rows import UNAVAILABLE, WAITING, judged_row
from monitor.replay.platform_of import WEB_TEST
from monitor.sources.fault import SourceFault
from monitor.sources.ooni_client import OoniClient
from probes.catalog.catalog import Catalog
from probes.layers.bogon import BogonList
from storage.values.sourced import SourcedRow

JUDGED_BACK = timedelta(days=3)
"""Age of a measurement up to which our rules judge it."""
_WAITS = timedelta(minutes=90)
"""How long a row waits at most: an event is found within three hours, whatever the archive does."""
_SOON, _SELDOM = timedelta(minutes=10), timedelta(hours=6)
"""Shortest and longest time between two requests for one measurement."""
_IN_A_ROW = 3
"""Measurements that fail one after the other: the service's fault, unless one that it gave before
comes again."""
_SURE = 0.5


class WholeMeasurements:
    """Of one `[[source]]` of kind `ooni`."""

    def __init__(
        self,
        source: SourceSettings,
        catalog: Catalog,
        client: OoniClient,
        *,
        now: Callable[[], datetime],
        room: Callable[[int], bool],
        charge: Callable[[datetime], None],
        replace: Callable[[Sequence[SourcedRow], int], Awaitable[None]],
        bogons: BogonList,
    ) -> None:
        """`now` gives UTC; `room` says whether the budget has so many units left; `charge` takes
        those of the last request from it; `replace` stores rows, so many of them judged."""
        self._source = source
        self._catalog = catalog
        self._client = client
        self._now = now
        self._room = room
        self._charge = charge
        self._replace = replace
        self._bogons = bogons
        self._units = 10
        self.freed = 0
        """Rows that waited, and count now though their measurement did not come."""
        self._pending: dict[str, SourcedRow] = {}
        """Rows to judge."""
        self._asked: dict[str, datetime] = {}
        """Ids of those whose measurement did not come → when it was last asked for."""
        self._read = ""
        """Id of the last one that came: where it comes again, the service is well."""

    def add(self, rows: Sequence[SourcedRow]) -> None:
        """Note which of these rows are to be judged, and one that was."""
        oldest, platforms = self._now() - JUDGED_BACK, self._source.platforms
        came = (row.uid for row in rows if row.judged not in ("", UNAVAILABLE))
        self._read = next(came, self._read)
        self._pending |= {
            row.uid: row
            for row in rows
            if row.failed > _SURE
            and not row.judged
            and (row.left_out == WAITING or (not row.left_out and row.measured_at >= oldest))
            and row.country in self._source.countries
            and (not platforms or row.platform in platforms)
        }

    def renew(self, rows: Iterable[SourcedRow]) -> None:
        """Note how rows are now."""
        self._pending |= {row.uid: row for row in rows if row.uid in self._pending}

    async def wait(self, country: str, platform: str, counted: datetime | None) -> bool:
        """Have rows wait whose measurement did not come, but none that was here at `counted` (UTC);
        whether any began to. StorageError."""
        waiting = [
            msgspec.structs.replace(row, left_out=WAITING)
            for uid, row in self._pending.items()
            if (row.country, row.platform) == (country, platform)
            and uid in self._asked
            and not row.left_out
            and self._now() - row.received_at < _WAITS
            and (counted is None or row.received_at > counted)
        ]
        if waiting:
            await self._replace(waiting, 0)
            self.renew(waiting)
        return bool(waiting)

    async def judge(self) -> None:
        """Judge as many as the budget has room for: those with a control first, since rules decide
        more of them, and of these the newest. Raises SourceFault and StorageError."""
        await self._give_up()
        in_order = sorted(
            self._pending.values(),
            key=lambda row: (row.test == WEB_TEST, row.measured_at, row.uid),
            reverse=True,
        )
        failed = 0
        for row in in_order:
            now, asked = self._now(), self._asked.get(row.uid)
            if asked and now - asked < min(max(asked - row.received_at, _SOON), _SELDOM):
                continue
            if not self._room(self._units):
                return
            raw, fault = await self._raw(row.uid)
            failed = failed + 1 if fault else 0
            # One that is too long stays so.
            if raw or (fault and fault.problem == "malformed"):
                free = msgspec.structs.replace(row, left_out="")
                judged = await asyncio.to_thread(judged_row, free, raw, self._catalog, self._bogons)
                await self._replace([judged], 1)
                self._forget(row)
                continue
            self._asked[row.uid] = now
            if fault and failed >= _IN_A_ROW:
                if not self._read or (await self._raw(self._read))[1]:
                    raise fault
                failed = 0

    async def _raw(self, uid: str) -> tuple[bytes, SourceFault | None]:
        """A whole measurement, or why it cannot be read: anybody can upload one, so that this is no
        fault of the source. Raises SourceFault where the quota is empty."""
        now = self._now()
        try:
            raw = await self._client.raw(uid)
        except SourceFault as fault:
            if fault.problem == "limited":
                raise
            return b"", fault
        finally:
            self._charge(now)
        self._units = self._client.taken
        self._read = uid if raw else self._read
        return raw, None

    async def _give_up(self) -> None:
        """Have OONI's opinion count where the measurement did not come in time."""
        now = self._now()
        for row in list(self._pending.values()):
            if now - row.measured_at > JUDGED_BACK:
                if row.uid in self._asked or row.left_out:
                    given_up = msgspec.structs.replace(row, judged=UNAVAILABLE, left_out="")
                    await self._replace([given_up], 1)
                self._forget(row)
            elif row.left_out and now - row.received_at >= _WAITS:
                free = msgspec.structs.replace(row, left_out="")
                await self._replace([free], 0)
                self.renew([free])
                self.freed += 1

    def _forget(self, row: SourcedRow) -> None:
        del self._pending[row.uid]
        self._asked.pop(row.uid, None)
