"""Addresses of a platform that are silent from here alone.

That nothing answers has many innocent causes, and some last: a server died, the resolver names one
that was retired, the route is broken. A control that gets an answer at the very addresses rules
out the first two. What answers beside them, in the same routed network, rules out the third, for
routers of different providers exchange no routes of smaller networks. So does a way that ends
before it parts from the ways to everything else: no fault of the platform or of those between
reaches so far. Nobody but who carries the packets drops them there, or for these addresses alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from monitor.analysis.seen import EndpointMeasurements
from probes.failure import TIMEOUTS, UNANSWERED
from probes.measure.follow_up_reasons import Reason
from probes.measure.verified_addresses import routed_network
from probes.measurement import (
    AnyObservation,
    Measurement,
    TcpObservation,
    TlsObservation,
    family_of,
)

SEVERAL = 2
"""Addresses of one family that must be silent: one alone is one server."""


def silent_from_here(
    endpoints: Iterable[EndpointMeasurements],
) -> Mapping[str, frozenset[str]]:
    """Platform → its addresses that gave no answer in any attempt of a cycle, while a control got
    one there after the last."""
    found: dict[str, set[str]] = {}
    for one in endpoints:
        silent = _silent(o for attempt in one.attempts for o in attempt.observations)
        ended = one.attempts[-1].ended_at
        after = [m for m in one.controls if m.started_at.timestamp() >= ended]
        alive = {address for control in after for address in _answering(control)}
        found.setdefault(one.platform, set()).update(silent & alive)
    return {platform: frozenset(addresses) for platform, addresses in found.items()}


def only_these(
    silent: Collection[str], mine: Collection[str], seen: Sequence[AnyObservation]
) -> bool:
    """Whether nothing but the addresses explains their silence: `silent` are the platform's as
    above, `mine` those of the endpoint, and `seen` what follow-ups observed there."""
    families = [family_of(address) for address in silent]
    suspected = {
        address
        for address in mine
        if address in silent and families.count(family_of(address)) >= SEVERAL
    }
    networks = {routed_network(address) for address in suspected}
    return any(
        isinstance(o, TlsObservation)
        and o.reason == Reason.NEIGHBOUR
        and o.failure is None
        and o.address not in silent
        and routed_network(o.address) in networks
        for o in seen
    )


def _silent(observations: Iterable[AnyObservation]) -> set[str]:
    """Addresses that made no connection, or fell silent in every handshake."""
    connects: dict[str, list[str | None]] = {}
    handshakes: dict[str, list[str | None]] = {}
    for o in observations:
        if isinstance(o, TcpObservation) and o.address and not o.reason:
            connects.setdefault(o.address, []).append(o.failure)
        elif isinstance(o, TlsObservation) and o.address and not o.reason:
            handshakes.setdefault(o.address, []).append(o.failure)
    return {
        address
        for address, failures in connects.items()
        if set(failures) <= UNANSWERED
        or (None in failures and set(handshakes.get(address, [None])) <= TIMEOUTS)
    }


def _answering(control: Measurement) -> set[str]:
    """Addresses at which the endpoint answered a control: with a handshake, where there was one."""
    shaken = [o for o in control.observations if isinstance(o, TlsObservation)]
    dialled = [o for o in control.observations if isinstance(o, TcpObservation)]
    return {o.address for o in shaken or dialled if o.address and o.failure is None}
