"""The verdict on the transfers of one object."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from monitor.analysis.verdict import State, Verdict

_COMPARED = ("innocuous", "reference", "control")
"""The most informative first."""


class TransferClass(StrEnum):
    """The kind of a verdict on transfers."""

    OK = "ok"
    THROTTLED = "throttled"
    STALLED = "stalled"
    SLOW_UPLINK = "slow_uplink"
    """Everything is slow here: not an accusation."""
    INSUFFICIENT = "insufficient"


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    low: float
    median: float
    high: float


class TransferVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on the transfers of one object, with its numbers."""

    kind: TransferClass
    verdict: Verdict
    object: str
    """URL of the object."""
    rounds: int
    rates: Mapping[str, Spread] = {}
    """Bits per second by variant: target, innocuous, reference, control."""
    ratios: Mapping[str, Spread] = {}
    """Target's rate divided by that of innocuous, reference, control."""
    stalled_at: Spread | None = None
    """Bytes of the answer after which it stalled."""

    @property
    def accuses(self) -> bool:
        return self.verdict.state is State.THROTTLED

    @property
    def rate(self) -> float | None:
        """Bits per second of the object, typically; None without a rate."""
        found = self.rates.get("target")
        return found.median if found is not None else None

    @property
    def ratio(self) -> tuple[str, Spread] | None:
        """The most informative ratio there is, and against what."""
        return next(((k, self.ratios[k]) for k in _COMPARED if k in self.ratios), None)
