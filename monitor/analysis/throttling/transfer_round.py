"""One round of transfers: whether the target is slow or stalled next to the others."""

import math
from collections.abc import Mapping

import msgspec

from monitor.analysis.throttling.transfer_pauses import at_least, at_most, silence_explained
from monitor.analysis.throttling.transfer_speed import TransferSpeed, gets_past, speeds
from probes.measurement import TRANSFER_INNOCUOUS, TRANSFER_REFERENCE, Measurement

NAME_RATIO = 0.3
"""Target's rate / rate of the innocuous name on the same address, below which it is slow."""
SITE_RATIO = 0.2
"""Target's rate / rate of an object elsewhere or at the control, below which it is slow."""
PAST_FREEZES = 32 * 1024
"""Bytes that a connection carried where it is not frozen: known freezes begin at 12 to 20 KB."""
FASTER = 1.5
"""Rate / rate at which the target was throttled, above which it is faster than that."""
FAST = 2_000_000.0
"""Bits per second at which a transfer is fast, whatever others are."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    measurement: Measurement
    speeds: Mapping[str, TransferSpeed]

    @property
    def target(self) -> TransferSpeed | None:
        return self.speeds.get("target")

    def rate(self, variant: str) -> float | None:
        """Bits per second of a variant."""
        found = self.speeds.get(variant)
        return found.rate if found is not None else None

    def ratio(self, variant: str) -> float | None:
        """Target's rate divided by that of `variant`."""
        target, other = self.rate("target"), self.rate(variant)
        return target / other if target is not None and other else None

    @property
    def informative(self) -> bool:
        """The target gave a rate, or stalled."""
        return self.stalled or self.rate("target") is not None

    @property
    def missing(self) -> bool:
        """The target was not requested: connecting or the handshake failed."""
        return self.target is None

    @property
    def compared(self) -> bool:
        """There is a rate to compare the target's rate with."""
        return self.ratio("innocuous") is not None or self.ratio("reference") is not None

    @property
    def alone(self) -> bool:
        """Only the target was requested: a glance, which can show that all is well."""
        others = (TRANSFER_INNOCUOUS, TRANSFER_REFERENCE)
        return not any(o.reason in others for o in self.measurement.observations)

    @property
    def tried_names(self) -> bool:
        """The innocuous name was tried: a whole round, where that is allowed."""
        return any(o.reason == TRANSFER_INNOCUOUS for o in self.measurement.observations)

    @property
    def fast(self) -> bool:
        """Fast by any standard, and past the bytes at which connections are frozen."""
        return self._got_past and at_least(self.speeds["target"]) >= FAST

    @property
    def unhindered(self) -> bool:
        """Fast, or as fast as the distance allows."""
        return self.fast or (self._got_past and self.speeds["target"].only_distance)

    @property
    def _got_past(self) -> bool:
        target = self.target
        return target is not None and target.rate is not None and target.carried >= PAST_FREEZES

    @property
    def stalled_alone(self) -> bool:
        """The target stalled where another transfer of the round continued."""
        if self.target is None or not self.target.stalled:
            return False
        point = self.target.carried
        return any(gets_past(o, point) for name, o in self.speeds.items() if name != "target")

    @property
    def stalled(self) -> bool:
        return self.target is not None and self.target.stalled

    @property
    def slow_by_name(self) -> bool:
        """Far slower than the same address under another name."""
        ratio = self.ratio("innocuous")
        return ratio is not None and ratio < NAME_RATIO

    @property
    def slow_site(self) -> bool:
        """Far slower than an object elsewhere, more than the distance explains."""
        ratio = self.ratio("reference")
        if ratio is None or self.target is None or ratio >= SITE_RATIO:
            return False
        return not self.target.distance_explains

    def would_show(self, slow: float) -> bool:
        """Whether throttling to `slow` bits per second would show: the others are fast enough to
        tell, or the target is clearly faster than that."""
        named = NAME_RATIO * (self.rate("innocuous") or 0.0)
        elsewhere = SITE_RATIO * (self.rate("reference") or 0.0)
        return max(named, elsewhere) > slow or (self.rate("target") or 0.0) > FASTER * slow

    @property
    def stall_is_ours(self) -> bool:
        """The machine's own pauses may have caused the stall."""
        return silence_explained(self.speeds["target"])

    def slow_is_ours(self, variant: str) -> bool:
        """The machine's own pauses may have made the target slow against that variant."""
        limit = NAME_RATIO if variant == "innocuous" else SITE_RATIO
        return at_most(self.speeds["target"]) >= limit * at_least(self.speeds[variant])

    @property
    def suspicious(self) -> bool:
        return self.stalled or self.slow_by_name or self.slow_site


def round_of(measurement: Measurement, distance: float = math.inf) -> Round:
    """One round; `distance` as in `speeds`. Never raises."""
    return Round(measurement=measurement, speeds=speeds(measurement, distance))
