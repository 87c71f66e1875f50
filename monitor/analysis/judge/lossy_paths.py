"""Paths to one platform that lose packets, while the rest of the line does not.

A congested or broken link between two networks lasts for hours, and each of its timeouts looks like
a censor's. It also makes the kernel send again what a censor lets through: of the connections that
were made, many needed more than one try. No block does that, for what it drops never gets through.
Where some did, a timeout is weak and no follow-up settles what it means: an innocuous name, or a
neighbour, may have been lucky.
"""

from collections.abc import Iterable

from monitor.analysis.outcome import TIMEOUT
from monitor.analysis.vantage.loss import LOSSY_RESENDS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Layer, Measurement, TcpObservation

MIN_RESENT = 2
"""Connections with a resend that prove loss; one alone happens on any line."""

DOUBTFUL_RESENDS = 0.1
"""Share of connections with a resend from which timeouts are weak."""
_OTHER_HOSTS = (Reason.SNI_ELSEWHERE, Reason.NEIGHBOUR)
"""Of connections that do not go to the platform."""

Sign = tuple[Layer, str]


def lossy_platforms(measurements: Iterable[Measurement]) -> frozenset[str]:
    """The platforms on whose connections many packets get lost, in one cycle of one vantage."""
    return _resent(measurements, MIN_RESENT, LOSSY_RESENDS)


def perhaps_lossy_platforms(measurements: Iterable[Measurement]) -> frozenset[str]:
    """Those on whose connections more packets get lost than on any ordinary line."""
    return _resent(measurements, 1, DOUBTFUL_RESENDS)


def _resent(measurements: Iterable[Measurement], least: int, share: float) -> frozenset[str]:
    resent: dict[str, list[bool]] = {}
    for measurement in measurements:
        resent.setdefault(measurement.platform, []).extend(
            o.retransmits > 0
            for o in measurement.observations
            if isinstance(o, TcpObservation) and o.failure is None and o.reason not in _OTHER_HOSTS
        )
    return frozenset(
        platform
        for platform, found in resent.items()
        if sum(found) >= least and sum(found) >= share * len(found)
    )


def lost(sign: Sign | None) -> bool:
    """Whether packets lost on the path explain a sign. Resolvers are on another path."""
    return sign is not None and sign[0] is not Layer.DNS and sign[1] == TIMEOUT
