"""Silent addresses to which the resolver leads names of different owners.

A resolver that leads a platform to an address where nobody answers may name a cache of the
platform's at the provider, which died. But no platform's cache serves another owner's names: one
address for both is where a resolver leads what is to be cut off. Two owners may rent servers of one
provider of content, whose cache may die, too, so this is never more than weak.
"""

from collections.abc import Iterable, Mapping

from monitor.analysis.measurement_summary import TIMEOUT, summarise
from monitor.analysis.seen import EndpointMeasurements
from probes.measurement import Layer

OWNERS = 2
"""Owners of platforms whose names must lead there."""


def common_addresses(
    endpoints: Iterable[EndpointMeasurements], owners: Mapping[str, str]
) -> frozenset[str]:
    """The addresses that the vantage's own resolver gave for platforms of different owners, and
    that stayed silent in every attempt of a cycle. `owners` are those of the platforms."""
    led: dict[str, set[str]] = {}
    alive: set[str] = set()
    for one in endpoints:
        for attempt in one.attempts:
            summary = summarise(attempt)
            given = {address for o in summary.last_hop.dns for address in o.addresses}
            for path in summary.paths:
                if path.layer not in (Layer.TCP, Layer.TLS) or path.sub_method != TIMEOUT:
                    alive.add(path.address)
                elif path.address in given and not summary.last_hop.resolved_elsewhere:
                    owner = owners.get(one.platform, one.platform)
                    led.setdefault(path.address, set()).add(owner)
    return frozenset(address for address, of in led.items() if len(of) >= OWNERS) - alive
