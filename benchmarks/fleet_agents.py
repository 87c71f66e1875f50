"""What a fleet of agents sends: signed batches of whole cycles of the shipped catalogue.

All is well but for one platform in one country, where names are answered with resets from a moment
on. Controls measure the same endpoints again and again, as those that serve agents do.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
import uuid_utils

from benchmarks.signed_batches import Agent, agent, report
from monitor.wire.batch import CycleReport
from probes.catalog.catalog import Catalog, Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    REFERENCE_PLATFORM,
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Measurement,
    Purpose,
    TcpObservation,
    TlsObservation,
)
from probes.vantage import VantagePoint, VantageRole

COUNTRIES = (
    *("PK", "BR", "IR", "RU", "IN", "TR", "EG", "VN", "TH", "ID"),
    *("NG", "KE", "ET", "UG", "TZ", "MM", "KZ", "BY", "VE", "CU"),
)
NETWORKS = 5
"""In each country."""
AT_LEAST = 4
"""Agents in each country."""
BLOCKED = "x"
"""The platform that is blocked, in the first country."""
LASTS = timedelta(seconds=50)
"""From the start of a cycle to its end."""
ADDRESSES = {"A": "151.101.1.69", "AAAA": "2a04:4e42::645"}
_LAYERS = {
    EndpointKind.DNS: 1,
    EndpointKind.TCP: 2,
    EndpointKind.TLS: 3,
    EndpointKind.HTTPS: 4,
}
"""Layers of the kinds that are sent."""


def fields(number: int) -> list[Agent]:
    """So many, spread over countries, several in each, and their networks."""
    countries = max(1, min(len(COUNTRIES), number // AT_LEAST))
    found = []
    for n in range(number):
        country, network = n % countries, n // countries % NETWORKS
        asn = 64512 + country * NETWORKS + network
        found.append(agent(f"f{n:05}", COUNTRIES[country], asn))
    return found


def controls() -> list[Agent]:
    """Three of unrelated networks, which decide together."""
    return [agent(f"c{n}", "DE", 3320 + n, VantageRole.CONTROL) for n in range(3)]


def cycle_of(
    of: Agent,
    catalog: Catalog,
    ended: datetime,
    *,
    blocked: bool,
    rng: random.Random,
    lasts: timedelta = LASTS,
) -> CycleReport:
    """Its cycle that ended at that moment (UTC)."""
    begun = ended - lasts
    maker = _Maker(of.point, str(uuid_utils.uuid7()), begun, lasts, rng)
    made = (*maker.references(catalog), *maker.platforms(catalog, blocked=blocked))
    return report(of, maker.cycle, begun, ended, made)


class _Maker:
    """Makes the measurements of one cycle."""

    def __init__(
        self, point: VantagePoint, cycle: str, begun: datetime, lasts: timedelta, rng: random.Random
    ) -> None:
        self.point = point
        self.cycle = cycle
        self.begun, self.lasts = begun, lasts
        self.rng = rng

    def references(self, catalog: Catalog) -> Iterator[Measurement]:
        for reference in catalog.references_for(self.point.country):
            endpoint, scope = reference.endpoint, reference.scope.value
            if endpoint.kind in _LAYERS:
                yield self._measured(
                    endpoint, REFERENCE_PLATFORM, scope, Purpose.REFERENCE, _worked(endpoint)
                )

    def platforms(self, catalog: Catalog, *, blocked: bool) -> Iterator[Measurement]:
        control = self.point.role is VantageRole.CONTROL
        for platform in catalog.platforms:
            for function in platform.functions:
                known = [one for one in function.endpoints if one.kind in _LAYERS]
                for endpoint in known[: function.sample or None]:
                    place = platform.name, function.name
                    if blocked and platform.name == BLOCKED and _LAYERS[endpoint.kind] > 2:
                        yield from self._reset(endpoint, *place)
                    else:
                        kind = Purpose.CONTROL if control else Purpose.SCHEDULED
                        yield self._measured(endpoint, *place, kind, _worked(endpoint))

    def _reset(self, endpoint: Endpoint, platform: str, function: str) -> Iterator[Measurement]:
        """A reset after the name, four times, and what tells that the name is the cause."""
        seen = (*_worked(endpoint)[:4], *_tls(endpoint.host, "connection_reset"))
        for attempt in range(4):
            kind = Purpose.RETRY if attempt else Purpose.SCHEDULED
            yield self._measured(
                endpoint, platform, function, kind, seen, attempt=attempt + 1, reached=False
            )
        for reason, found in (
            (Reason.INNOCUOUS_SNI, _tls("innocuous.example")),
            (Reason.NAME_AGAIN, _tls(endpoint.host, "connection_reset")),
        ):
            seen = (*_tcp(endpoint.port or 443), *found)
            named = [msgspec.structs.replace(one, reason=reason.value) for one in seen]
            yield self._measured(
                endpoint, platform, function, Purpose.FOLLOW_UP, named, reached=False
            )

    def _measured(
        self,
        endpoint: Endpoint,
        platform: str,
        function: str,
        kind: Purpose,
        seen: Sequence[AnyObservation],
        *,
        attempt: int = 1,
        reached: bool = True,
    ) -> Measurement:
        late = 0.6 if kind is Purpose.FOLLOW_UP else 0.1 * (attempt - 1)
        return Measurement(
            id=str(uuid_utils.uuid7()),
            cycle=self.cycle,
            look=kind,
            attempt=attempt,
            platform=platform,
            function=function,
            endpoint=endpoint.id,
            started_at=self.begun + (self.rng.uniform(0.02, 0.08) + late) * self.lasts,
            duration=round(self.rng.uniform(0.2, 0.9), 6),
            observations=tuple(seen),
            reached=reached,
            **self.point.origin,
        )


def _worked(endpoint: Endpoint) -> tuple[AnyObservation, ...]:
    """All layers that an endpoint has, over both address families."""
    layers = _LAYERS[endpoint.kind]
    found: list[AnyObservation] = [
        DnsObservation(
            start=0.0,
            duration=0.02,
            name=endpoint.host,
            rtype=rtype,
            resolver="192.0.2.53:53",
            answers=(DnsAnswer(delay=0.02, rcode="NOERROR", addresses=(address,)),),
        )
        for rtype, address in ADDRESSES.items()
    ]
    if layers > 1:
        found += _tcp(endpoint.port or 443)
    if layers > 2:
        found += _tls(endpoint.host)
    if layers > 3:
        found.append(
            HttpObservation(
                start=0.2,
                duration=0.1,
                url=f"https://{endpoint.host}/",
                address=ADDRESSES["A"],
                status=200,
                headers=(("content-type", "text/html; charset=utf-8"), ("server", "made-up")),
                body_length=2048,
                expected=True,
            )
        )
    return tuple(found)


def _tcp(port: int) -> list[AnyObservation]:
    return [
        TcpObservation(start=0.03, duration=0.04, address=address, port=port)
        for address in ADDRESSES.values()
    ]


def _tls(name: str, failure: str | None = None) -> list[AnyObservation]:
    return [
        TlsObservation(
            start=0.08,
            duration=0.05,
            failure=failure,
            address=address,
            port=443,
            server_name=name,
        )
        for address in ADDRESSES.values()
    ]
