"""Follows IODA: when countries lose connectivity, as seen from outside.

It says nothing about a platform. Only what both ways of looking show, routes and answers to pings,
corroborates a shutdown; no alert is no sign, and never that all is well.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from monitor.config.settings import SourceSettings
from monitor.following.ioda_levels import IodaLevels
from monitor.following.quota import charged, may_list
from monitor.sources.fault import SourceFault
from monitor.sources.ioda_client import PAGE, Alert, IodaClient
from storage.store import Store
from storage.values.sourced import OutsideSignal, SourceState

DATASOURCES = ("bgp", "ping-slash24")
"""What counts: the telescope is noisy, and traffic of one company hours late."""
HISTORY = timedelta(days=14)
OVERLAP = timedelta(hours=2)
_KEPT = timedelta(days=90)
_LEFT_OVER = timedelta(days=13)
"""An outage that nothing closed for so long is a leftover of the service from then on."""
_NORMAL = "normal"
_ALERTS = "alerts"


class IodaFollower:
    """Reads one `[[source]]` of kind `ioda`."""

    def __init__(
        self,
        source: SourceSettings,
        store: Store,
        client: IodaClient,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`now` gives UTC."""
        self._source = source
        self._store = store
        self._client = client
        self._now = now
        self._levels = IodaLevels(source, store, client, now=now, charge=self._charge)
        self.state = SourceState()

    async def restore(self) -> None:
        """Go on where another process stopped. StorageError."""
        await self._levels.restore()
        kind = str(self._source.kind)
        self.state = (await self._store.source_states()).get(kind, SourceState())
        asked = ",".join(sorted(self._source.countries))
        if self.state.asked != asked:
            self.state = msgspec.structs.replace(
                self.state, asked=asked, cursors={}, known_since=None
            )

    async def keep(self) -> None:
        """Store what it knows of itself. StorageError."""
        await self._store.add_sourced((), str(self._source.kind), self.state)

    async def poll(self) -> None:
        """Read what is new. Raises SourceFault and StorageError."""
        now = self._now()
        cursor = self.state.cursors.get(_ALERTS)
        # Later than now is what a clock said that was ahead: what came since was never read.
        since = now - HISTORY if cursor is None or cursor > now else cursor - OVERLAP
        found: list[Alert] = []
        page = malformed = 0
        while True:
            if not may_list(self.state, self._source.budget, 1, now):
                return
            try:
                part, bad = await self._client.alerts(self._source.countries, since, now, page)
            finally:
                self._charge()
            if part and part == found[-len(part) :]:
                raise SourceFault("malformed", "the same part of the alerts again")
            found += part
            malformed += bad
            if len(part) + bad < PAGE:
                break
            page += 1
        signals = folded(self.state.signals, (one for one in found if self._about_ours(one)), now)
        unread = malformed > 0 and not found
        known_since = self.state.known_since or (cursor or now) - HISTORY
        state = msgspec.structs.replace(
            self.state,
            cursors={_ALERTS: now},
            signals=signals,
            answered_at=self.state.answered_at if unread else now,
            known_since=now if unread else max(known_since, now - _KEPT),
            malformed=self.state.malformed + malformed,
            rows=self.state.rows + len(set(signals) - set(self.state.signals)),
            newest_at=max((one.began_at for one in signals), default=None),
        )
        await self._store.add_sourced((), str(self._source.kind), state)
        self.state = state
        await self._levels.poll(signals)
        if unread:
            # What nobody can read is no silence. It is past in the next polls, so it stops none.
            raise SourceFault("malformed", f"none of {malformed} alerts can be read")

    def _charge(self) -> None:
        self.state = charged(self.state, 1, self._now())

    async def close(self) -> None:
        """Release its connections."""
        await self._client.close()

    def _about_ours(self, alert: Alert) -> bool:
        country = alert.entity.type == "country" and alert.entity.code in self._source.countries
        return country and alert.datasource in DATASOURCES


def folded(
    known: Iterable[OutsideSignal], alerts: Iterable[Alert], now: datetime
) -> tuple[OutsideSignal, ...]:
    """The signals once these alerts are added to them. Alerts that were added before change
    nothing; signals that are too old are dropped, and leftovers closed."""
    signals = {(one.country, one.datasource, one.began_at): one for one in known}
    for alert in sorted(alerts, key=lambda one: one.time):
        place = (alert.entity.code, alert.datasource)
        covering = next(
            (
                (key, one)
                for key, one in signals.items()
                if key[:2] == place
                and one.began_at <= alert.at
                and (one.ended_at is None or alert.at <= one.ended_at)
            ),
            None,
        )
        if covering is None:
            if alert.level != _NORMAL:
                signals[*place, alert.at] = OutsideSignal(
                    country=place[0],
                    datasource=place[1],
                    began_at=alert.at,
                    drop=alert.drop,
                )
            continue
        key, one = covering
        if alert.level != _NORMAL:
            signals[key] = msgspec.structs.replace(one, drop=max(one.drop, alert.drop))
        elif one.ended_at is None:
            signals[key] = msgspec.structs.replace(one, ended_at=alert.at)
    kept = [
        msgspec.structs.replace(one, ended_at=one.began_at + _LEFT_OVER)
        if one.ended_at is None and now - one.began_at > _LEFT_OVER
        else one
        for one in signals.values()
        if now - one.began_at <= _KEPT
    ]
    return tuple(sorted(kept, key=lambda one: (one.began_at, one.country, one.datasource)))
