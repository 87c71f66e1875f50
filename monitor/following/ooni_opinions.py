"""What OONI's own programs make of its tests: annotations beside events, and never evidence, since
they read the tests that are followed already.

The detector says when blocking begins or ends on a network, some ten measured hours late. The
analysis scores the tests of a site on each network; it is asked only about platforms that are
suspected to be blocked now.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from monitor.analysis.events.event import EventKind
from monitor.analysis.second_witness import Opinion, OpinionKind
from monitor.config.settings import SourceSettings
from monitor.following.aside import Aside
from monitor.replay.platform_of import PlatformLookup
from monitor.sources.fault import due
from monitor.sources.ooni_client import OoniClient
from monitor.sources.terms import OPINIONS
from probes.catalog.catalog import Catalog
from probes.catalog.endpoint_kinds import EndpointKind
from storage.store import Store
from storage.values.selection import Selection
from storage.values.sourced import SourceState
from storage.values.times import TimesInUtc

HISTORY = timedelta(days=14)
EVERY = timedelta(hours=1)
"""How often each is asked: the detector runs as often."""
OVERLAP = timedelta(days=1)
"""Late uploads change what the detector found."""
SCORED = timedelta(days=1)
"""Time whose tests are scored together."""
_KEPT, _MOST = timedelta(days=21), 1000
_DETECTOR, _SCORE = "detector", "score "
"""Names of cursors; the second goes on with that of a platform."""
_NONE = "none"

_T = TypeVar("_T")
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Asn = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class _Changepoint(TimesInUtc, frozen=True):
    probe_asn: _Asn
    probe_cc: str
    domain: str
    start_time: datetime
    change_dir: Literal["up", "down"] | None = None
    block_type: str = ""


class _Loni(msgspec.Struct, frozen=True):
    blocked_max: _Share | None = None
    blocked_max_outcome: str | None = None


class _Scored(msgspec.Struct, frozen=True):
    probe_cc: str
    probe_asn: _Asn
    count: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    loni: _Loni


class OoniOpinions:
    """Asks for one `[[source]]` of kind `ooni`."""

    def __init__(
        self,
        source: SourceSettings,
        catalog: Catalog,
        store: Store,
        client: OoniClient,
        *,
        now: Callable[[], datetime],
        room: Callable[[int], bool],
        charge: Callable[[datetime], None],
    ) -> None:
        """`now` gives UTC; `room` says whether the budget has so many units left; `charge` takes
        those of the last request from it."""
        self._source = source
        self._lookup = PlatformLookup(catalog)
        self._sites = {
            one.name: site for one in catalog.platforms for site in _site(one.name, catalog)
        }
        self._store = store
        self._client = client
        self._now = now
        self._room = room
        self._charge = charge
        self._units = 10
        self._aside = Aside(OPINIONS, store, now)

    async def restore(self) -> None:
        """Go on where another process stopped. StorageError."""
        await self._aside.restore()
        asked = ",".join(sorted(self._source.countries))
        if self._aside.state.asked != asked:
            self._aside.state = msgspec.structs.replace(self._aside.state, asked=asked, cursors={})

    async def poll(self) -> None:
        """Ask what is due. Raises SourceFault where the quota is empty, and StorageError."""
        if not self._source.run_link:  # neither can be asked of one link's tests alone
            await self._aside.ask(self._read)

    async def _read(self, state: SourceState) -> SourceState:
        now = self._now()
        cursor = state.cursors.get(_DETECTOR)
        if due(cursor, EVERY, now) and self._room(self._units):
            since = now - HISTORY if cursor is None or cursor > now else cursor - OVERLAP
            results = await self._asked(self._client.changepoints(since, now))
            state = _added(state, _DETECTOR, now, *self._noticed(results))
        for platform in await self._suspected():
            name = _SCORE + platform
            cursor = state.cursors.get(name)
            again = due(cursor, EVERY, now)
            if again and platform in self._sites and self._room(self._units):
                site = self._sites[platform]
                results = await self._asked(self._client.scores(site, now - SCORED, now))
                state = _added(state, name, now, *self._scored(results, platform, now))
        return state

    async def _asked(self, answer: Any) -> list[Any]:
        now = self._now()
        try:
            found: list[Any] = await answer
        finally:
            self._charge(now)
        self._units = max(self._client.taken, 1)
        return found

    async def _suspected(self) -> list[str]:
        """Platforms that our own vantages or volunteers hold to be blocked now in these countries,
        by name."""
        own = [
            event.platform
            for country in self._source.countries
            async for page in self._store.events(Selection(country=country, since=self._now()))
            for event in page
            if event.kind is EventKind.BLOCK and event.active
        ]
        seen = [
            one.platform
            for one in await self._store.sourced_events(str(self._source.kind))
            if one.active and one.country in self._source.countries
        ]
        return sorted({*own, *seen})

    def _noticed(self, results: Iterable[Any]) -> tuple[list[Opinion], int]:
        """The detector's opinions about our platforms, and how many could not be read."""
        read = list(_entries(results, _Changepoint))
        found = []
        for one in read:
            if one is None or one.change_dir is None or one.probe_cc not in self._source.countries:
                continue
            part = self._lookup.of_domain(one.domain)
            if part is None:
                continue
            layer = one.block_type.removesuffix("ed").removesuffix("_block")[:40]
            found.append(
                Opinion(
                    country=one.probe_cc,
                    asn=one.probe_asn,
                    platform=part.platform,
                    kind=OpinionKind.BEGINS if one.change_dir == "up" else OpinionKind.ENDS,
                    at=one.start_time,
                    sign=layer,
                )
            )
        return found, read.count(None)

    def _scored(
        self, results: Iterable[Any], platform: str, at: datetime
    ) -> tuple[list[Opinion], int]:
        read = list(_entries(results, _Scored))
        found = [
            Opinion(
                country=one.probe_cc,
                asn=one.probe_asn,
                platform=platform,
                kind=OpinionKind.SCORE,
                at=at,
                sign="" if one.loni.blocked_max_outcome in (None, _NONE) else _short(one.loni),
                score=one.loni.blocked_max or 0.0,
                tests=int(one.count),
            )
            for one in read
            if one is not None and one.probe_cc in self._source.countries and one.count >= 1
        ]
        return found, read.count(None)


def _site(platform: str, catalog: Catalog) -> Iterator[str]:
    """The host under which volunteers test a platform most: that of its first page."""
    pages = [
        endpoint.host
        for one in catalog.platforms
        if one.name == platform
        for function in sorted(one.functions, key=lambda function: not function.core)
        for endpoint in function.endpoints
        if endpoint.kind is EndpointKind.HTTPS
    ]
    yield from pages[:1]


def _added(
    state: SourceState, name: str, now: datetime, found: Iterable[Opinion], malformed: int
) -> SourceState:
    """The state with these opinions, one score a day of each network, and none that is old."""
    known = {_key(one): one for one in (*state.opinions, *found) if now - one.at <= _KEPT}
    return msgspec.structs.replace(
        state,
        cursors={**state.cursors, name: now},
        answered_at=now,
        malformed=state.malformed + malformed,
        opinions=tuple(sorted(known.values(), key=lambda one: (one.at, _key(one)))[-_MOST:]),
    )


def _key(one: Opinion) -> tuple[str, ...]:
    when = f"{one.at:%Y-%m-%d}" if one.kind is OpinionKind.SCORE else f"{one.at} {one.sign}"
    return one.country, one.platform, str(one.asn), str(one.kind), when


def _entries(results: Iterable[Any], kind: type[_T]) -> Iterator[_T | None]:
    """Each entry; None for one that cannot be read, which loses no other."""
    for one in results:
        try:
            yield msgspec.convert(one, kind)
        except msgspec.ValidationError:
            yield None


def _short(loni: _Loni) -> str:
    return (loni.blocked_max_outcome or "")[:80]
