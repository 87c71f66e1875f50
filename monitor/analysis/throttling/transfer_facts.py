"""The rounds of transfers of one object, and the facts that the rules ask about."""

import math
from collections.abc import Sequence
from statistics import median

import msgspec

from monitor.analysis.judge.case import EndpointCase
from monitor.analysis.judge.grade_by_sign import loss_explains
from monitor.analysis.throttling.transfer_pauses import at_least, at_most
from monitor.analysis.throttling.transfer_round import NAME_RATIO, SITE_RATIO, Round, round_of
from monitor.analysis.throttling.transfer_speed import VARIANTS, TransferSpeed, gets_past, speeds
from monitor.analysis.verdict import VantageState
from probes.measurement import Measurement

UNUSUAL_RATIO = 0.5
"""Share of the stream's own earlier ratio to the object elsewhere."""
ENOUGH_RATIOS = 5
"""Earlier ratios needed to know what is usual."""
SLOW = 1_000_000.0
"""Bits per second below which a line is called slow."""
ROUNDS_NEEDED = 2
"""Rounds that must agree, and two thirds of all."""
SURE_ROUNDS = 3
"""Rounds that must agree where many packets get lost, or everything is slow."""
ALIKE = 1.5
"""Largest / smallest number of bytes at which the transfers of one freeze stall."""


class TransferCase(EndpointCase, frozen=True, kw_only=True):
    """The rounds on one object, whose verdict is about `endpoint`."""

    rounds: tuple[Measurement, ...]
    """Transfer measurements from the field vantage, oldest first."""
    controls: tuple[Measurement, ...] = ()
    """Transfer measurements of the same object from control vantages, of any age."""
    distance: float = math.inf
    """Shortest recent time to connect to the object's host, in seconds."""
    usual_ratios: tuple[float, ...] = ()
    """Earlier ratios of this object to the reference from here, of rounds that were not slow."""
    accused_rate: float | None = None
    """As in `ObjectTransfers`."""
    lossy_path: bool = False
    """Many packets get lost between the vantage and this platform; see
    `monitor.analysis.judge.lossy_paths`."""
    perhaps_lossy_path: bool = False
    """Perhaps more than on any ordinary line; only part of a lossy path's cycles show more."""


class TransferFacts(msgspec.Struct, frozen=True, kw_only=True):
    case: TransferCase
    informative: tuple[Round, ...]
    stalls: tuple[Round, ...]
    """Rounds that stalled where another transfer continued."""
    by_name: tuple[Round, ...]
    by_site: tuple[Round, ...]
    """Rounds slow against an object elsewhere, where the innocuous name gave no rate."""
    by_address: tuple[Round, ...]
    """Rounds slow against an object elsewhere, but not against the innocuous name."""
    controls: tuple[TransferSpeed, ...]
    """Of controls that began after the first suspicious round."""
    control_ids: tuple[str, ...] = ()

    def agree(self, rounds: Sequence[Round]) -> bool:
        """Whether enough rounds, and most of the informative ones, agree."""
        return len(rounds) >= ROUNDS_NEEDED and 3 * len(rounds) >= 2 * len(self.informative)

    @property
    def able(self) -> bool:
        """The vantage is healthy and loses little."""
        return self.case.health.state is VantageState.OK

    @property
    def stall(self) -> bool:
        return self.agree(self.stalls)

    @property
    def stalled_by_name(self) -> bool:
        """The same address got further under the innocuous name each time."""
        return self.stall and all(_name_got_past(one) for one in self.stalls)

    @property
    def loss_in_doubt(self) -> bool:
        """Too few packets were seen lost on the path to say that loss explains it, and too many to
        say that it does not."""
        return self.case.perhaps_lossy_path and not self._stalled_alike

    @property
    def _stalled_alike(self) -> bool:
        """Each round stalled at the same byte, and three or more of them got past it under the
        innocuous name: lost packets stop a transfer anywhere."""
        points = [stall_point(one) for one in self.informative if one.stalled]
        return (
            len(points) == len(self.informative)
            and len(self.stalls) >= SURE_ROUNDS
            and max(points) <= ALIKE * min(points)
            and self.stalled_by_name
        )

    @property
    def slow(self) -> tuple[Round, ...]:
        """The rounds that make it slow, by the better comparison; none when too few agree."""
        kinds = ((self.by_name, "innocuous"), (self.by_site, "reference"))
        return next((r for r, against in kinds if self._slow_against(r, against)), ())

    def _slow_against(self, rounds: Sequence[Round], against: str) -> bool:
        """Whether rounds that are slow against another transfer are enough. Where that is slow as
        well, as on a line that loses many packets, rates swing by more than the two differ in one
        round of thirty: then all must be slow."""
        if not (self.agree(rounds) and _apart(rounds, against)):
            return False
        compared = [r for r in self.informative if r.ratio(against) is not None]
        fastest = max(r.rate(against) or 0.0 for r in compared)
        return fastest >= SLOW or len(rounds) == len(compared) >= SURE_ROUNDS

    @property
    def pauses_explain(self) -> bool:
        """The machine's own pauses may explain too many of the accusing rounds, or the comparison
        with the control."""
        if self.stall:
            return not self.agree([one for one in self.stalls if not one.stall_is_ours])
        if not self.slow:
            return False
        against = "innocuous" if self.slow is self.by_name else "reference"
        sure = [one for one in self.slow if not one.slow_is_ours(against)]
        return not self.agree(sure) or (self.control_fine and not self._control_surely_fine)

    @property
    def loss_explains(self) -> bool:
        """Lost packets slow down or stop every transfer on their path, under whatever name, each by
        how many had to be sent again: three unlucky ones beside three lucky ones are no rare
        chance."""
        if self.case.lossy_path and not self._stalled_alike:
            return True
        rounds = len(self.stalls) if self.stall else len(self.slow)
        return loss_explains(self.case.health.timeout_rate, rounds)

    @property
    def control_fine(self) -> bool:
        """A control got the object further, or clearly faster."""
        if self.stall:
            point = max(stall_point(one) for one in self.stalls)
            return any(gets_past(c, point) for c in self.controls)
        rate = _typical_rate(self.slow)
        return any(c.rate is not None and rate < self._limit * c.rate for c in self.controls)

    @property
    def _control_surely_fine(self) -> bool:
        rate = median(at_most(one.speeds["target"]) for one in self.slow)
        return any(rate < self._limit * at_least(c) for c in self.controls)

    @property
    def _limit(self) -> float:
        return NAME_RATIO if self.slow is self.by_name else SITE_RATIO

    @property
    def slow_everywhere(self) -> bool:
        """Controls could compare, and none was better."""
        if self.control_fine:
            return False
        if self.stall:
            return any(c.stalled for c in self.controls)
        return any(c.stalled or c.rate is not None for c in self.controls)

    @property
    def fine(self) -> bool:
        """Most rounds were compared and were neither slow nor stalled, where what was slow before
        would show."""
        slow = self.case.accused_rate
        fine = [
            r
            for r in self.informative
            if r.compared and not r.suspicious and (slow is None or r.would_show(slow))
        ]
        return bool(fine) and 2 * len(fine) > len(self.informative)

    @property
    def unhindered(self) -> bool:
        """Only the target was requested, and nothing held it up."""
        seen = self.informative
        return bool(seen) and all(one.alone and one.unhindered for one in seen)

    @property
    def slow_line(self) -> bool:
        """Fine, but nothing was fast."""
        rates = [r.rate(v) for r in self.informative for v in VARIANTS.values()]
        known = [rate for rate in rates if rate is not None]
        return self.fine and bool(known) and max(known) < SLOW


def examine(case: TransferCase) -> TransferFacts:
    """Reduce a case to the facts that the rules ask about. Never raises."""
    rounds = [round_of(m, case.distance) for m in case.rounds]
    # A glance only asks whether there is anything to compare.
    compared = [r for r in rounds if not r.alone]
    rounds = [r for r in compared if r.tried_names] or compared or rounds
    informative = tuple(r for r in rounds if r.informative)
    by_name = tuple(r for r in informative if r.slow_by_name)
    by_site = tuple(r for r in informative if r.slow_site and r.ratio("innocuous") is None)
    if len(case.usual_ratios) >= ENOUGH_RATIOS:
        usual = UNUSUAL_RATIO * median(case.usual_ratios)
        by_site = tuple(r for r in by_site if (r.ratio("reference") or 0.0) < usual)
    wrong = [r.measurement.ended_at for r in informative if r.suspicious]
    controls = [c for c in case.controls if wrong and c.started_at.timestamp() >= wrong[0]]
    seen = [(c.id, p) for c in controls if (p := speeds(c).get("target")) is not None]
    return TransferFacts(
        case=case,
        informative=informative,
        stalls=tuple(r for r in informative if r.stalled_alone),
        by_name=by_name,
        by_site=by_site,
        by_address=tuple(
            r
            for r in informative
            if r.slow_site and not r.slow_by_name and r.ratio("innocuous") is not None
        ),
        controls=tuple(p for _, p in seen),
        control_ids=tuple(sorted(i for i, _ in seen)),
    )


def another_may_tell(rounds: Sequence[Round]) -> bool:
    """Whether all rounds that compared something accuse, and too few did to say so on a line that
    is slow or loses packets. There some rounds compare nothing, as where a connection failed."""
    told = {"innocuous": 0, "reference": 0}
    for one in rounds:
        for against in told:
            if one.ratio(against) is None and not _stalled_before(one, against):
                continue
            if not (one.stalled or (one.slow_by_name if against == "innocuous" else one.slow_site)):
                return False
            told[against] += 1
            break
    rates = [rate for one in rounds for against in told if (rate := one.rate(against)) is not None]
    in_doubt = any(one.stalled for one in rounds) or max(rates, default=SLOW) < SLOW
    return in_doubt and 0 < max(told.values()) < SURE_ROUNDS


def stall_point(stalled: Round) -> int:
    """Bytes that the connection had carried when the target of a round stalled."""
    return stalled.speeds["target"].carried


def _name_got_past(stalled: Round) -> bool:
    return _stalled_before(stalled, "innocuous")


def _stalled_before(one: Round, against: str) -> bool:
    """Whether the target of a round stalled, and another of its transfers got clearly further."""
    other = one.speeds.get(against)
    return one.stalled and other is not None and gets_past(other, stall_point(one))


def _apart(rounds: Sequence[Round], against: str) -> bool:
    """Whether the target was always slower than the other ever was: rates that swing by as much as
    the two differ prove nothing."""
    targets = [one.rate("target") or 0.0 for one in rounds]
    others = [one.rate(against) or 0.0 for one in rounds]
    return max(targets) < min(others)


def _typical_rate(rounds: Sequence[Round]) -> float:
    rates = [rate for r in rounds if (rate := r.rate("target")) is not None]
    return median(rates) if rates else math.inf
