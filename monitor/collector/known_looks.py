"""The newest measurements of controls, as agents get them.

A control may be another host's agent, and whoever holds a key reads this. So it holds endpoints of
the collector's own catalogue alone, nothing that tells which host measured, and a limited number of
bytes: the holder of one control's key must not fill the answer to all other agents.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.config.settings import Settings
from monitor.export.public_view import earlier
from monitor.wire.answers import LARGEST_ANSWER
from probes.catalog.catalog import Catalog
from probes.measurement import (
    AnyObservation,
    DnsObservation,
    HttpObservation,
    Measurement,
    TlsObservation,
)
from storage.store import FleetStore
from storage.values.fleet import EndpointKey

KNOWN_FOR = 10.0
"""Seconds for which the newest measurements of controls are not read again."""
LOOK_BACK = timedelta(hours=1)
"""Measurements of controls older than this, and than four intervals, say nothing about now."""
_INTERVALS = 4
LARGEST_LOOK = 32 * 1024
"""Bytes of one measurement as JSON. Without pages and certificates most have a tenth of it."""
MOST_BYTES = LARGEST_ANSWER // 2
"""Of all of them."""
_BUCKET = 300.0
"""Seconds."""

_encode = msgspec.json.Encoder().encode


class KnownLooks:
    """The newest measurements of controls, read from the store now and then."""

    def __init__(
        self,
        store: FleetStore,
        settings: Callable[[], Settings],
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        """`settings` gives those in use, `now` the time (UTC), `clock` seconds."""
        self._store = store
        self._settings = settings
        self._now = now
        self._clock = clock
        self._known: Sequence[Measurement] = ()
        self._known_at = -KNOWN_FOR

    async def known(self) -> Sequence[Measurement]:
        """One of each listed endpoint, as agents get it. Raises StorageError."""
        if self._clock() - self._known_at >= KNOWN_FOR:
            self._known = await self._read()
            self._known_at = self._clock()
        return self._known

    async def _read(self) -> Sequence[Measurement]:
        settings = self._settings()
        back = max(LOOK_BACK, timedelta(seconds=_INTERVALS * settings.interval))
        places = frozenset(_listed(settings.catalog))
        newest: dict[EndpointKey, tuple[int, Measurement]] = {}
        async for page in self._store.latest_control_measurements(self._now() - back, places):
            for made in map(for_agents, page):
                size = len(_encode(made))
                if size <= LARGEST_LOOK:
                    newest[made.platform, made.function, made.endpoint] = size, made
        return _that_fit(newest)


def _listed(catalog: Catalog) -> Iterator[EndpointKey]:
    for platform in catalog.platforms:
        for function in platform.functions:
            for endpoint in function.endpoints:
                yield platform.name, function.name, endpoint.id


def _that_fit(newest: Mapping[EndpointKey, tuple[int, Measurement]]) -> Sequence[Measurement]:
    """As many as fit, the smallest first, in the order of their places."""
    fit, left = [], MOST_BYTES
    for place, (size, _) in sorted(newest.items(), key=lambda one: (one[1][0], one[0])):
        left -= size
        if left < 0:
            break
        fit.append(place)
    return tuple(newest[place][1] for place in sorted(fit))


def for_agents(made: Measurement) -> Measurement:
    """A measurement without what tells which host made it, and when exactly, and without pages and
    certificates: agents compare titles, headers and lengths alone."""
    return msgspec.structs.replace(
        made,
        id="",
        cycle="",
        vantage="",
        country="",
        asn=0,
        network="",
        started_at=earlier(made.started_at, _BUCKET),
        observations=tuple(map(_without_evidence, made.observations)),
    )


def _without_evidence(one: AnyObservation) -> AnyObservation:
    match one:
        case DnsObservation():
            return msgspec.structs.replace(one, resolver="")
        case TlsObservation():
            return msgspec.structs.replace(one, chain=())
        case HttpObservation():
            return msgspec.structs.replace(one, body="")
        case _:
            return one
