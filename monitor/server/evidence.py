"""The evidence for an event, from the store: measurements around its onset, next to their controls.

For each network the evidence comes from the cycle with the highest evidence grade; the earliest of
several, and none of a vantage in quarantine. Networks, endpoints and rows are limited, and bodies
of pages are not kept.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from monitor.analysis.events.event import Event, EventKind, EventLogEntry, NetworkStatus
from monitor.analysis.second_witness import AnyWitness
from monitor.analysis.trust import network_key
from monitor.analysis.verdict import EVIDENCE_ORDER, State, Verdict
from monitor.export.common_text import common_texts, with_common_text
from monitor.export.continuations import goes_on_now, reviews_of
from monitor.export.public_view import PublicView, earlier
from monitor.judging.quarantine import Quarantined
from monitor.sources.witnesses import second_witnesses
from probes.measurement import HttpObservation, Measurement, Purpose, TlsObservation
from storage.first_rows import first_rows
from storage.store import Store
from storage.values.fleet import Quarantine
from storage.values.reviews import Annotation, Review
from storage.values.selection import Selection

MOST_NETWORKS = 12
MOST_ENDPOINTS = 4
"""Failing endpoints shown of one network."""
MOST_ROWS = 1500
"""Rows read from one listing."""
MOST_LOG = 300
"""Entries shown of the event's log."""
_BEFORE = timedelta(minutes=2)
_AFTER = timedelta(hours=2)
"""Verdicts are read this long before and after the first moment known to be blocked."""
_MEASURED_BEFORE = timedelta(minutes=30)
"""How long before its verdict a measurement may have started, where its id holds no time."""
_FAILING = (State.BLOCKED, State.THROTTLED, State.PARTIAL)
_REMEMBERED = 32
"""Events whose evidence is kept in memory."""
_KEPT = timedelta(minutes=1)
"""For how long: better evidence may come, with the next cycle or late."""
_READERS = 2
"""Events read from the store at once."""


class EndpointEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One failing endpoint of the platform, in one cycle of one network."""

    verdict: Verdict
    measurement: Measurement | None
    """The measurement that decided the verdict."""
    control: Measurement | None
    """A control measurement that the verdict used; one that reached the endpoint, if any."""
    controls: int
    """Number of control measurements that the verdict used."""
    follow_ups: tuple[Measurement, ...]

    @property
    def made(self) -> tuple[Measurement, ...]:
        """All measurements that are shown."""
        both = (self.measurement, self.control)
        return (*(one for one in both if one is not None), *self.follow_ups)


class NetworkEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of one affected network."""

    status: NetworkStatus
    endpoints: tuple[EndpointEvidence, ...]
    """Failing endpoints, the strongest evidence first; empty when nothing is stored."""
    shown_from: datetime | None = None
    """When everybody is shown these; None where this reader is."""
    accusing: int
    """Number of failing endpoints, shown or not."""
    fine: int
    """Number of endpoints that worked in the same cycle."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of one event shows from the store."""

    networks: tuple[NetworkEvidence, ...]
    more_networks: int
    """Number of affected networks that are not shown."""
    log: tuple[EventLogEntry, ...]
    reviews: tuple[Review, ...]
    """Reviews of the event and of those it continues, the oldest first."""
    annotations: tuple[Annotation, ...]
    witnesses: tuple[AnyWitness, ...] = ()
    """What sources of others' measurements have of the same time."""
    continued_as: str = ""
    """Id of the event that continues this one; empty for none."""


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    networks: tuple[NetworkEvidence, ...]


def public_evidence(
    view: PublicView, evidence: Evidence, now: datetime, hosts: frozenset[str]
) -> Evidence:
    """What everybody is shown of it at that moment; `hosts` are the catalogue's."""
    newest = view.newest(now)
    made = [m for network in evidence.networks for one in network.endpoints for m in one.made]
    common = common_texts(made) | hosts

    def shown(measurement: Measurement | None) -> Measurement | None:
        return measurement and with_common_text(measurement, common)

    def of_network(network: NetworkEvidence) -> NetworkEvidence:
        judged = [one.verdict.judged_at for one in network.endpoints]
        late = max(judged, default=newest) if judged and max(judged) >= newest else None
        return msgspec.structs.replace(
            network,
            shown_from=late and view.shown_from(late),
            endpoints=()
            if late
            else tuple(
                msgspec.structs.replace(
                    one,
                    verdict=msgspec.structs.replace(
                        one.verdict, judged_at=earlier(one.verdict.judged_at, view.bucket)
                    ),
                    measurement=shown(one.measurement),
                    control=shown(one.control),
                    follow_ups=tuple(with_common_text(each, common) for each in one.follow_ups),
                )
                for one in network.endpoints
            ),
        )

    return msgspec.structs.replace(
        evidence,
        networks=tuple(map(of_network, evidence.networks)),
        # A line names a network, and its time is the end of a cycle of a vantage there.
        log=tuple(msgspec.structs.replace(one, at=earlier(one.at)) for one in evidence.log),
    )


class EvidenceReader:
    """Reads evidence, for a few events at once, and keeps the latest in memory."""

    def __init__(
        self, store: Store, quarantines: Callable[[], Awaitable[Sequence[Quarantine]]] | None = None
    ) -> None:
        """`quarantines` reads which vantages are in quarantine; without it none is."""
        self._store = store
        self._quarantines = quarantines
        self._readers = asyncio.Semaphore(_READERS)
        self._known: OrderedDict[tuple[object, ...], _Read] = OrderedDict()

    async def event(self, event_id: str) -> Event | None:
        """A stored event, or None. Raises StorageError."""
        found = await first_rows(self._store.events(Selection(event=event_id, batch=1)), 1)
        return found[0] if found else None

    async def reviews(self, event: Event) -> Sequence[Review]:
        """Those of an event and of what it continues, the oldest first. Raises StorageError."""
        log = await first_rows(self._store.event_log(event.id), MOST_LOG)
        return await reviews_of(self._store, event.id, log)

    async def continued_as(self, event: Event) -> str:
        """The id of the event that continues this one; empty for none. Raises StorageError."""
        return await goes_on_now(self._store, event)

    async def of(self, event: Event, now: datetime) -> Evidence:
        """The evidence for an event, as of now (UTC). Raises StorageError."""
        async with self._readers:
            affected = [network for network in event.networks if network.affected]
            shown = affected[:MOST_NETWORKS] if event.kind is EventKind.BLOCK else []
            begun = event.onset_earliest or event.onset_latest
            until = event.end_latest or event.end_earliest or event.updated_at
            log = await first_rows(self._store.event_log(event.id), MOST_LOG)
            return Evidence(
                networks=await self._networks(event, shown, now),
                more_networks=len(affected) - len(shown),
                log=tuple(log),
                reviews=tuple(await reviews_of(self._store, event.id, log)),
                witnesses=await second_witnesses(self._store, event, now),
                continued_as=await goes_on_now(self._store, event),
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
        self, event: Event, shown: Sequence[NetworkStatus], now: datetime
    ) -> tuple[NetworkEvidence, ...]:
        held = tuple(await self._quarantines()) if self._quarantines is not None else ()
        key = (event.id, tuple((one.key, _begun(event, one)) for one in shown), held)
        known = self._known.get(key)
        if known is not None and timedelta() <= now - known.at < _KEPT:
            self._known.move_to_end(key)
            kept = known.networks
        else:
            left_out = Quarantined(held)
            kept = tuple([await self._network(event, one, left_out) for one in shown])
            if all(one.endpoints for one in kept):
                self._known[key] = _Read(at=now, networks=kept)
                self._known.move_to_end(key)
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return tuple(
            msgspec.structs.replace(one, status=status)
            for one, status in zip(kept, shown, strict=True)
        )

    async def _network(
        self, event: Event, status: NetworkStatus, left_out: Quarantined
    ) -> NetworkEvidence:
        begun = _begun(event, status)
        listed = await first_rows(
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
        cycle = _strongest_cycle(
            [
                one
                for one in listed
                if _is_of(one, status)
                and not left_out.covers(one.vantage, one.measured_at or one.judged_at)
            ]
        )
        failing = sorted(
            (one for one in cycle if one.state in _FAILING),
            key=lambda one: -EVIDENCE_ORDER[one.evidence],
        )
        shown = failing[:MOST_ENDPOINTS]
        measurements = await self._measurements(event.platform, shown)
        return NetworkEvidence(
            status=status,
            endpoints=tuple(_endpoint(one, measurements) for one in shown),
            accusing=len(failing),
            fine=sum(one.state is State.OK for one in cycle),
        )

    async def _measurements(self, platform: str, verdicts: Sequence[Verdict]) -> list[Measurement]:
        """The measurements behind these verdicts: field, control and follow-up."""
        if not verdicts:
            return []
        wanted = {id_ for one in verdicts for id_ in (one.measurement, *one.controls)}
        endpoints = {one.endpoint for one in verdicts}
        judged = max(one.judged_at for one in verdicts)
        earliest = judged - _MEASURED_BEFORE
        since = min((_time_of(id_) or earliest for id_ in wanted if id_), default=earliest)
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
            for one in await first_rows(listing, MOST_ROWS)
            if one.id in wanted or (one.look is Purpose.FOLLOW_UP and one.endpoint in endpoints)
        ]


def _begun(event: Event, status: NetworkStatus) -> datetime:
    return status.stretches[0].onset_latest if status.stretches else event.onset_latest


def _is_of(verdict: Verdict, status: NetworkStatus) -> bool:
    """Whether a verdict is of that network, which its vantages may call by other names."""
    named = verdict.network or verdict.vantage
    return network_key(verdict.asn, named) == status.key


def _strongest_cycle(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts of the cycle with the highest grade; the earliest of several."""
    cycles: OrderedDict[str, list[Verdict]] = OrderedDict()
    for one in verdicts:
        cycles.setdefault(one.cycle, []).append(one)

    def grade(cycle: list[Verdict]) -> int:
        grades = [EVIDENCE_ORDER[one.evidence] + 1 for one in cycle if one.state in _FAILING]
        return max(grades, default=0)

    return max(cycles.values(), key=grade, default=[])


def _endpoint(verdict: Verdict, measurements: Sequence[Measurement]) -> EndpointEvidence:
    controls = [one for one in measurements if one.id in verdict.controls]
    return EndpointEvidence(
        verdict=verdict,
        measurement=next((one for one in measurements if one.id == verdict.measurement), None),
        control=next((one for one in controls if one.reached), next(iter(controls), None)),
        controls=len(verdict.controls),
        follow_ups=tuple(
            one
            for one in measurements
            if one.look is Purpose.FOLLOW_UP
            and one.cycle == verdict.cycle
            and one.endpoint == verdict.endpoint
        ),
    )


def _without_bodies(measurement: Measurement) -> Measurement:
    """The measurement without its large parts, since it stays in memory."""
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


def _time_of(id_: str) -> datetime | None:
    """The time in a UUIDv7; None for any other id."""
    try:
        uuid = UUID(id_)
        moment = datetime.fromtimestamp((uuid.int >> 80) / 1000, UTC)
    except ValueError:
        return None
    return moment if uuid.version == 7 else None
