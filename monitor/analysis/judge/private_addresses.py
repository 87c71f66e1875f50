"""Private addresses at which a platform proved itself: a provider has a server of it there.

Such a server answers for all of the platform's names. So where the resolver leads another of them
there, silence is the line's, and no lie of the resolver's.
"""

from collections.abc import Iterable, Mapping

from monitor.analysis.seen import EndpointMeasurements
from probes.measure.follow_up_reasons import Reason
from probes.measurement import TlsObservation


def proven_in_private(endpoints: Iterable[EndpointMeasurements]) -> Mapping[str, frozenset[str]]:
    """Platform → the private addresses at which a follow-up of a cycle verified one of its names;
    none for a platform that has none."""
    found: dict[str, set[str]] = {}
    for one in endpoints:
        found.setdefault(one.platform, set()).update(
            o.address
            for asked in one.follow_ups
            for o in asked.observations
            if isinstance(o, TlsObservation)
            and o.reason == Reason.PRIVATE_ADDRESS
            and o.failure is None
        )
    return {platform: frozenset(addresses) for platform, addresses in found.items()}
