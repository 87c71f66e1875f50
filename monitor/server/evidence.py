"""What an event rests on, found in the store: the looks around its onset and the controls beside.

Bounded whatever is stored: so many networks, so many rows each, without the bodies of pages. Of
each network the cycle is shown that says most, the earliest of equals.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec

from monitor.analysis.events.event import Event, EventKind, EventLogEntry, NetworkStatus
from monitor.analysis.verdict import EVIDENCE_ORDER, State, Verdict
from monitor.recording.continuations import goes_on_now, reviews_of
from probes.measurement import HttpObservation, Measurement, Purpose, TlsObservation
from storage.store import Store
from storage.values.reviews import Annotation, Review
from storage.values.selection import Selection

T = TypeVar("T")

MOST_NETWORKS = 12
MOST_ENDPOINTS = 4
"""Of one network, that accuse."""
MOST_ROWS = 1500
"""Read in one listing."""
MOST_LOG = 300
_BEFORE = timedelta(minutes=2)
_AFTER = timedelta(hours=2)
"""Around the first moment known to be blocked."""
_LOOKS_BEFORE = timedelta(minutes=30)
"""Before a verdict, where its looks do not tell when they were made."""
_ACCUSED = (State.BLOCKED, State.THROTTLED)
_REMEMBERED = 32
_AT_ONCE = 2


class EndpointEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint of the platform, as one network showed it in one cycle."""

    verdict: Verdict
    look: Measurement | None
    """The look that decided."""
    control: Measurement | None
    """A control look it was judged against: one that reached it, where one did."""
    controls: int
    """How many there were."""
    follow_ups: tuple[Measurement, ...]


class NetworkEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of one affected network."""

    status: NetworkStatus
    endpoints: tuple[EndpointEvidence, ...]
    """Those that accuse, the strongest first; empty when nothing is stored any more."""
    accusing: int
    """How many accuse, shown or not."""
    fine: int
    """How many of the same cycle were reached."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a page about one event shows."""

    networks: tuple[NetworkEvidence, ...]
    left_out: int
    """Affected networks beyond those."""
    log: tuple[EventLogEntry, ...]
    reviews: tuple[Review, ...]
    """Of the event, and of those that go on as it; the oldest first."""
    annotations: tuple[Annotation, ...]
    goes_on_as: str = ""
    """The id of the event that this one goes on as; empty for none."""


class EvidenceReader:
    """Reads it, a few at a time, and remembers the last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._known: OrderedDict[tuple[object, ...], tuple[NetworkEvidence, ...]] = OrderedDict()

    async def event(self, event_id: str) -> Event | None:
        """A stored event, or None."""
        found = await _first(self._store.events(Selection(event=event_id, batch=1)), 1)
        return found[0] if found else None

    async def of(self, event: Event) -> Evidence:
        """What there is. Raises StorageError."""
        async with self._turns:
            affected = [network for network in event.networks if network.affected]
            shown = affected[:MOST_NETWORKS] if event.kind is EventKind.BLOCK else []
            begun = event.onset_earliest or event.onset_latest
            until = event.end_latest or event.end_earliest or event.updated_at
            log = await _first(self._store.event_log(event.id), MOST_LOG)
            return Evidence(
                networks=await self._networks(event, shown),
                left_out=len(affected) - len(shown),
                log=tuple(log),
                reviews=tuple(await reviews_of(self._store, event.id, log)),
                goes_on_as=await goes_on_now(self._store, event),
                annotations=tuple(
                    await self._store.annotations(
                        event.country,
                        begun - timedelta(days=7),
                        until + timedelta(days=7),
                        event.platform,
                    )
                    if event.country
                    else ()
                ),
            )

    async def _networks(
        self, event: Event, shown: Sequence[NetworkStatus]
    ) -> tuple[NetworkEvidence, ...]:
        key = (event.id, tuple((one.asn, one.network, _begun(event, one)) for one in shown))
        if key in self._known:
            self._known.move_to_end(key)
            kept = self._known[key]
        else:
            kept = tuple([await self._network(event, one) for one in shown])
            if all(one.endpoints for one in kept):
                self._known[key] = kept
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return tuple(
            msgspec.structs.replace(one, status=status)
            for one, status in zip(kept, shown, strict=True)
        )

    async def _network(self, event: Event, status: NetworkStatus) -> NetworkEvidence:
        begun = _begun(event, status)
        listed = await _first(
            self._store.verdicts(
                Selection(
                    country=event.country,
                    platform=event.platform,
                    asn=status.asn,
                    since=begun - _BEFORE,
                    until=begun + _AFTER,
                    batch=200,
                )
            ),
            MOST_ROWS,
        )
        cycle = _telling([one for one in listed if one.network == status.network])
        accusing = sorted(
            (one for one in cycle if one.state in _ACCUSED),
            key=lambda one: -EVIDENCE_ORDER[one.evidence],
        )
        looks = await self._looks(event.platform, accusing[:MOST_ENDPOINTS])
        return NetworkEvidence(
            status=status,
            endpoints=tuple(_endpoint(one, looks) for one in accusing[:MOST_ENDPOINTS]),
            accusing=len(accusing),
            fine=sum(one.state is State.OK for one in cycle),
        )

    async def _looks(self, platform: str, verdicts: Sequence[Verdict]) -> list[Measurement]:
        """The looks at these endpoints, and the controls they were judged against."""
        if not verdicts:
            return []
        wanted = {id_ for one in verdicts for id_ in (one.measurement, *one.controls)}
        endpoints = {one.endpoint for one in verdicts}
        judged = max(one.judged_at for one in verdicts)
        times = [_made_at(id_) for id_ in wanted if id_]
        known = [at for at in times if at is not None]
        since = min(known) if len(known) == len(times) and known else judged - _LOOKS_BEFORE
        listing = self._store.measurements(
            Selection(
                platform=platform,
                since=since - timedelta(seconds=5),
                until=judged + timedelta(seconds=1),
                batch=100,
            )
        )
        return [
            _without_bodies(one)
            for one in await _first(listing, MOST_ROWS)
            if one.id in wanted or (one.look is Purpose.FOLLOW_UP and one.endpoint in endpoints)
        ]


def _begun(event: Event, status: NetworkStatus) -> datetime:
    return status.episodes[0].onset_latest if status.episodes else event.onset_latest


def _telling(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts of the cycle that says most, the earliest of equals."""
    cycles: OrderedDict[str, list[Verdict]] = OrderedDict()
    for one in verdicts:
        cycles.setdefault(one.cycle, []).append(one)

    def weight(cycle: list[Verdict]) -> int:
        grades = [EVIDENCE_ORDER[one.evidence] + 1 for one in cycle if one.state in _ACCUSED]
        return max(grades, default=0)

    return max(cycles.values(), key=weight, default=[])


def _endpoint(verdict: Verdict, looks: Sequence[Measurement]) -> EndpointEvidence:
    controls = [one for one in looks if one.id in verdict.controls]
    return EndpointEvidence(
        verdict=verdict,
        look=next((one for one in looks if one.id == verdict.measurement), None),
        control=next((one for one in controls if one.reached), next(iter(controls), None)),
        controls=len(verdict.controls),
        follow_ups=tuple(
            one
            for one in looks
            if one.look is Purpose.FOLLOW_UP
            and one.cycle == verdict.cycle
            and one.endpoint == verdict.endpoint
        ),
    )


def _without_bodies(measurement: Measurement) -> Measurement:
    """Kept in memory for a while, so without what can be large."""
    return msgspec.structs.replace(
        measurement,
        observations=tuple(
            msgspec.structs.replace(one, body="", title=one.title[:1000], headers=())
            if isinstance(one, HttpObservation)
            else msgspec.structs.replace(one, chain=())
            if isinstance(one, TlsObservation)
            else one
            for one in measurement.observations
        ),
    )


def _made_at(id_: str) -> datetime | None:
    """When an id was made, which a UUIDv7 tells; None for any other."""
    try:
        uuid = UUID(id_)
    except ValueError:
        return None
    if uuid.version != 7:
        return None
    return datetime.fromtimestamp((uuid.int >> 80) / 1000, UTC)


async def _first(listing: AsyncIterator[Sequence[T]], most: int) -> list[T]:
    """The first values of a listing, and no more."""
    found: list[T] = []
    async with aclosing(listing) as batches:  # type: ignore[type-var]
        async for batch in batches:
            found += batch
            if len(found) >= most:
                break
    return found[:most]
