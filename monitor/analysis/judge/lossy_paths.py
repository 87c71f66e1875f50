"""Paths to one platform that lose packets, while the rest of the line does not.

A congested or broken link between two networks lasts for hours, and each of its timeouts looks like
a censor's. It also makes the kernel send again what a censor lets through: of the connections that
were made, many needed more than one try. No block does that, for what it drops never gets through.
Where some did, a timeout is weak, as is a transfer that stalls, and no single follow-up settles
what it means: an innocuous name, or a neighbour, may have been lucky. Many connections do, counted
with both names (`monitor.analysis.judge.counted_flows.cut_by_name`): no loss knows names.

Where the line itself loses packets (`monitor.analysis.vantage.loss`), connections to references
need as many tries. So a path is lossy only where the two shares are much likelier if each has its
own cause (generalised likelihood ratio: S. S. Wilks, The large-sample distribution of the
likelihood ratio, Ann. Math. Statist. 1938).
"""

import math
from collections.abc import Iterable

import msgspec

from monitor.analysis.measurement_summary import TIMEOUT
from monitor.analysis.vantage.loss import LOSSY_RESENDS, MIN_ROUND_TRIPS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import TRANSFER_REFERENCE, Layer, Measurement, TcpObservation

MIN_RESENT = 2
"""Connections with a resend that prove loss; one alone happens on any line."""

DOUBTFUL_RESENDS = 0.1
"""Share of connections with a resend from which timeouts are weak."""
LIKELIER, PERHAPS_LIKELIER = 10.0, 2.0
"""Times as likely the two shares must be with a loss of the path's own: for timeouts that prove
nothing, and for weak ones. On a line that loses a tenth of the packets each way, one cycle in 50
and one in eight reach them by chance."""
_OTHER_HOSTS = (Reason.SNI_ELSEWHERE, Reason.NEIGHBOUR, TRANSFER_REFERENCE)
"""Of connections that do not go to the platform."""

Sign = tuple[Layer, str]


class _Resends(msgspec.Struct, frozen=True):
    """Connections that were made, and how many of them needed more than one try."""

    made: int = 0
    resent: int = 0

    @property
    def share(self) -> float:
        return self.resent / self.made if self.made else 0.0

    @property
    def log_likelihood(self) -> float:
        """That of the share itself, the likeliest of all."""
        return sum(
            count * math.log(count / self.made)
            for count in (self.resent, self.made - self.resent)
            if count
        )

    def and_(self, one: TcpObservation) -> "_Resends":
        return _Resends(self.made + 1, self.resent + (one.retransmits > 0))


def lossy_platforms(
    measurements: Iterable[Measurement], references: Iterable[Measurement]
) -> frozenset[str]:
    """The platforms on whose connections many packets get lost, and more than on those to
    references, in one cycle of one vantage."""
    return _resent(measurements, references, MIN_RESENT, LOSSY_RESENDS, LIKELIER)


def perhaps_lossy_platforms(
    measurements: Iterable[Measurement], references: Iterable[Measurement]
) -> frozenset[str]:
    """Those on whose connections more packets get lost than on any ordinary line, and perhaps than
    on those to references."""
    return _resent(measurements, references, 1, DOUBTFUL_RESENDS, PERHAPS_LIKELIER)


def _resent(
    measurements: Iterable[Measurement],
    references: Iterable[Measurement],
    least: int,
    share: float,
    likelier: float,
) -> frozenset[str]:
    found: dict[str, _Resends] = {}
    for measurement in measurements:
        for one in connections(measurement):
            found[measurement.platform] = found.get(measurement.platform, _Resends()).and_(one)
    line = _Resends()
    for reference in references:
        for one in connections(reference):
            line = line.and_(one)
    return frozenset(
        platform
        for platform, path in found.items()
        if path.resent >= least and path.share >= share and _loses_more(path, line, likelier)
    )


def connections(measurement: Measurement) -> Iterable[TcpObservation]:
    """Those to the platform, or to a reference that is measured, that were made."""
    return (
        o
        for o in measurement.observations
        if isinstance(o, TcpObservation) and o.failure is None and o.reason not in _OTHER_HOSTS
    )


def _loses_more(path: _Resends, line: _Resends, likelier: float) -> bool:
    """Whether the path loses more than the line; so, too, where too few references answered."""
    if line.made < MIN_ROUND_TRIPS:
        return True
    if path.share <= line.share:
        return False
    alike = _Resends(path.made + line.made, path.resent + line.resent)
    apart = path.log_likelihood + line.log_likelihood
    return apart - alike.log_likelihood >= math.log(likelier)


def lost(sign: Sign | None) -> bool:
    """Whether packets lost on the path explain a sign. Resolvers are on another path."""
    return sign is not None and sign[0] is not Layer.DNS and sign[1] == TIMEOUT
