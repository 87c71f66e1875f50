"""Addresses of a platform that are silent from here, where no ordinary fault explains it.

That nothing answers has many innocent causes, and some last: a server died, the resolver names one
that was retired, the route is broken. A control that gets an answer at the very addresses rules
out the first two. Either of these rules out the third:

* *A neighbour.* Another host answers in the same routed network, and the address is silent once
  more right after it. Routers of different providers exchange no routes of smaller networks, so the
  route there works. Without the second look the whole line may have been silent for a minute.
* *The way.* Packets end before the way parts from those to everything else: beyond the vantage's
  own router, and where several ways to other networks all go on through one and the same next
  router. No fault of the platform, or of the links to it, reaches so far back.

What is left is a filter, or several servers of the platform's that died for this region alone. And
one ordinary fault that looks like both: of several parallel lines on the way, which share the
traffic by its addresses, one is dead. That silences every second or tenth address whoever owns it,
beside neighbours that answer. So where addresses of references are silent, too, nothing is left.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from math import inf

import msgspec

from monitor.analysis.seen import EndpointMeasurements
from probes.failure_strings import TIMEOUTS, UNANSWERED
from probes.measure.follow_up_reasons import Reason
from probes.measure.verified_addresses import routed_network
from probes.measurement import (
    FURTHER,
    AnyObservation,
    Measurement,
    TcpObservation,
    TlsObservation,
    answering_addresses,
    family_of,
)

SEVERAL = 2
"""Addresses of one family that must be silent: one alone is one server."""
WAYS = 3
"""Ways to other networks that must go on together."""
MANY, SHARE = 3, 0.1
"""Networks of references that are silent, and their share of those tried, from which addresses are
silent whoever owns them. A few may be dead, or blocked as well."""


def cut_off_addresses(
    endpoints: Sequence[EndpointMeasurements], references: Iterable[Measurement] = ()
) -> Mapping[str, frozenset[str]]:
    """Platform → its addresses that gave no answer in any attempt of a cycle, while a control got
    one there afterwards, and follow-ups and the cycle's `references` ruled out the route."""
    spared = _silent_whoever_owns(references)
    by_platform: dict[str, list[EndpointMeasurements]] = {}
    for one in endpoints:
        by_platform.setdefault(one.platform, []).append(one)
    return {
        platform: frozenset(a for a in _cut_off(measured) if family_of(a) not in spared)
        for platform, measured in by_platform.items()
    }


def silent_together(cut_off: Mapping[str, Collection[str]], owners: Mapping[str, str]) -> bool:
    """Whether platforms of different owners have such addresses, in different routed networks: no
    dead route silences these together. `owners` are those of the platforms."""
    networks: dict[str, set[str]] = {}
    for platform, addresses in cut_off.items():
        if addresses:
            owned = networks.setdefault(owners.get(platform, platform), set())
            owned.update(map(routed_network, addresses))
    return any(one.isdisjoint(other) for one, other in combinations(networks.values(), 2))


def _silent_whoever_owns(references: Iterable[Measurement]) -> set[str]:
    """The families of which addresses are silent whoever owns them, and others answer."""
    seen = [o for one in references for o in one.observations]
    tried = {o.address for o in seen if isinstance(o, TcpObservation) and o.address}
    silent = _silent(seen)
    found = set()
    for family in set(map(family_of, silent)):
        every, lost = (
            {routed_network(address) for address in addresses if family_of(address) == family}
            for addresses in (tried, silent)
        )
        if len(lost) >= MANY and len(lost) >= SHARE * len(every) and lost != every:
            found.add(family)
    return found


def _cut_off(endpoints: Sequence[EndpointMeasurements]) -> frozenset[str]:
    silent = {address for one in endpoints for address in _silent_from_here(one)}
    families = [family_of(address) for address in silent]
    asked = [o for one in endpoints for m in one.follow_ups for o in m.observations]
    open_networks = {
        network for one in endpoints for m in one.follow_ups for network in _open_networks(m)
    }
    dropped_near = {
        family_of(o.address)
        for o in asked
        if isinstance(o, TcpObservation)
        and o.reason == Reason.WAY
        and o.address in silent
        and o.failure in TIMEOUTS
        # The first router is often the vantage's own.
        and o.routers >= FURTHER
        and o.ways >= WAYS
    }
    return frozenset(
        address
        for address in silent
        if families.count(family_of(address)) >= SEVERAL
        and (routed_network(address) in open_networks or family_of(address) in dropped_near)
    )


def _open_networks(follow_up: Measurement) -> set[str]:
    """Routed networks in which a neighbour answered, and a silent address did not after it."""
    answered: dict[str, float] = {}
    for o in follow_up.observations:
        if isinstance(o, TlsObservation) and o.reason == Reason.NEIGHBOUR and o.failure is None:
            answered.setdefault(routed_network(o.address), o.start)
    again: dict[str, list[AnyObservation]] = {}
    for o in follow_up.observations:
        if isinstance(o, TcpObservation | TlsObservation) and o.reason == Reason.ADDRESS_AGAIN:
            again.setdefault(o.address, []).append(msgspec.structs.replace(o, reason=""))
    return {
        routed_network(address)
        for address, seen in again.items()
        if _silent(seen)
        and answered.get(routed_network(address), inf) <= min(o.start for o in seen)
    }


def _silent_from_here(one: EndpointMeasurements) -> set[str]:
    """The endpoint's addresses that are silent here and answered a control afterwards."""
    ended = one.attempts[-1].ended_at
    after = [m for m in one.controls if m.started_at.timestamp() >= ended]
    alive = {address for control in after for address in answering_addresses(control)}
    return alive & _silent(o for attempt in one.attempts for o in attempt.observations)


def _silent(observations: Iterable[AnyObservation]) -> set[str]:
    """Addresses that made no connection, or fell silent in every handshake."""
    connects: dict[str, set[str | None]] = {}
    handshakes: dict[str, set[str | None]] = {}
    for o in observations:
        if isinstance(o, TcpObservation) and o.address and not o.reason:
            connects.setdefault(o.address, set()).add(o.failure)
        elif isinstance(o, TlsObservation) and o.address and not o.reason:
            handshakes.setdefault(o.address, set()).add(o.failure)
    return {
        address
        for address, failures in connects.items()
        if failures <= UNANSWERED
        or (None in failures and handshakes.get(address, {None}) <= TIMEOUTS)
    }
