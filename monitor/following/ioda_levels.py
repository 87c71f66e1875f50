"""How much of a country is left during a shutdown or a cut of ours, by IODA's signals.

Alerts come late, and none is no sign; the signals say how much was lost, or that it is as usual.
What is kept is the share lost at worst, and never a series.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from statistics import median

import msgspec

from monitor.analysis.events.event import Event, EventKind
from monitor.config.settings import SourceSettings
from monitor.following.aside import Aside
from monitor.sources.ioda_client import IodaClient, Signal
from monitor.sources.terms import SIGNALS
from monitor.sources.witnesses import CLEAR
from storage.store import Store
from storage.values.selection import Selection
from storage.values.sourced import OutsideLevel, OutsideSignal, SourceState

_OF_COUNTRIES = (EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT)
_USUAL = timedelta(days=1)
"""Time before an event whose values are usual; before an outage that alerts showed by then, if
one did: a country that is cut off already is not as usual."""
_APART = timedelta(hours=1)
"""Between that time and the event: a country is not lost in one moment."""
_AFTER = timedelta(hours=2)
"""Time after an event in which its last values come."""
_LONGEST = timedelta(days=7)
"""An event that lasts longer was bad enough by then."""
_KEPT = timedelta(days=90)
_FEWEST_USUAL, _FEWEST = 12, 3
"""Values that say what is usual, and that together say what was left."""


class IodaLevels:
    """Asks for one `[[source]]` of kind `ioda`."""

    def __init__(
        self,
        source: SourceSettings,
        store: Store,
        client: IodaClient,
        *,
        now: Callable[[], datetime],
        charge: Callable[[], None],
    ) -> None:
        """`now` gives UTC; `charge` counts a request."""
        self._source = source
        self._store = store
        self._client = client
        self._now = now
        self._charge = charge
        self._aside = Aside(SIGNALS, store, now)

    async def restore(self) -> None:
        """Go on where another process stopped. StorageError."""
        await self._aside.restore()

    async def poll(self, alerts: Sequence[OutsideSignal]) -> None:
        """Ask about what lasts, where these are known. Raises SourceFault where the quota is empty,
        and StorageError."""
        if await self._events():
            await self._aside.ask(partial(self._read, alerts))

    async def _events(self) -> list[Event]:
        now = self._now()
        return [
            event
            for country in self._source.countries
            async for page in self._store.events(Selection(country=country, since=now - _AFTER))
            for event in page
            if event.kind in _OF_COUNTRIES and now - _begin(event) <= _LONGEST
        ]

    async def _read(self, alerts: Sequence[OutsideSignal], state: SourceState) -> SourceState:
        events, now = await self._events(), self._now()
        countries = sorted({event.country for event in events})
        found: list[OutsideLevel] = []
        for datasource in CLEAR:
            usual = {event.id: _usual_until(event, datasource, alerts) for event in events}
            since = min(usual.values()) - _USUAL
            try:
                signals = await self._client.signals(countries, datasource, since, now)
            finally:
                self._charge()
            found += _levels(events, usual, signals, datasource, now)
        known = {
            (one.event, one.datasource): one
            for one in (*state.levels, *found)
            if now - one.until <= _KEPT
        }
        return msgspec.structs.replace(state, levels=tuple(known.values()), answered_at=now)


def _begin(event: Event) -> datetime:
    return event.onset_earliest or event.onset_latest


def _usual_until(event: Event, datasource: str, alerts: Iterable[OutsideSignal]) -> datetime:
    begins = _begin(event)
    outages = (
        one.began_at
        for one in alerts
        if (one.country, one.datasource) == (event.country, datasource)
        and (one.ended_at is None or one.ended_at > begins - _APART - _USUAL)
    )
    return min((begins, *outages)) - _APART


def _levels(
    events: Iterable[Event],
    usual_until: Mapping[str, datetime],
    signals: Iterable[Signal],
    datasource: str,
    now: datetime,
) -> Iterator[OutsideLevel]:
    """One for each event of whose country there are values enough; nothing where there are few: a
    service that fails answers without any."""
    values: dict[str, list[tuple[datetime, float]]] = {}
    for signal in signals:
        if (signal.entity_type, signal.datasource) == ("country", datasource):
            values.setdefault(signal.entity_code, []).extend(signal.known())
    for event in events:
        known = sorted(values.get(event.country, ()))
        begins = _begin(event) - _APART
        ends = now if event.active else event.end_latest or event.end_earliest or now
        until = usual_until[event.id]
        before = [value for at, value in known if until - _USUAL <= at < until]
        during = [(at, value) for at, value in known if begins <= at <= ends]
        usual = median(before) if len(before) >= _FEWEST_USUAL else 0.0
        if usual <= 0 or len(during) < _FEWEST or during[-1][0] < event.onset_latest:
            continue
        worst = min(
            median(value for _, value in during[first : first + _FEWEST])
            for first in range(len(during) - _FEWEST + 1)
        )
        yield OutsideLevel(
            event=event.id,
            country=event.country,
            datasource=datasource,
            until=during[-1][0],
            lost=min(1.0, max(0.0, 1 - worst / usual)),
        )
