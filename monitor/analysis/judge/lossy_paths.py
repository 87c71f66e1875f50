"""Paths to one platform that lose packets, while the rest of the line does not.

A congested or broken link between two networks lasts for hours, and each of its timeouts looks like
a censor's. It also makes the kernel send again what a censor lets through: of the connections that
were made, many needed more than one try. No block does that, for what it drops never gets through.
"""

from collections.abc import Iterable

from monitor.analysis.outcome import TIMEOUT
from monitor.analysis.vantage.loss import LOSSY_RESENDS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Layer, Measurement, TcpObservation

MIN_RESENT = 2
"""Connections with a resend; one alone happens on any line."""

Sign = tuple[Layer, str]


def lossy_platforms(measurements: Iterable[Measurement]) -> frozenset[str]:
    """The platforms on whose connections many packets get lost, in one cycle of one vantage."""
    resent: dict[str, list[bool]] = {}
    for measurement in measurements:
        resent.setdefault(measurement.platform, []).extend(
            o.retransmits > 0
            for o in measurement.observations
            if isinstance(o, TcpObservation)
            and o.failure is None
            and o.reason != Reason.SNI_ELSEWHERE
        )
    return frozenset(
        platform
        for platform, found in resent.items()
        if sum(found) >= MIN_RESENT and sum(found) >= LOSSY_RESENDS * len(found)
    )


def lost(sign: Sign | None) -> bool:
    """Whether packets lost on the path explain a sign. Resolvers are on another path."""
    return sign is not None and sign[0] is not Layer.DNS and sign[1] == TIMEOUT
