"""How much of a selection was decided: what every negative statement rests on.

A cycle of one vantage gives one verdict on each platform. It is *decided*, or *undecided* for a
cause; what has no verdict was *not measured*. "No block" is only as good as the share that was
decided.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from monitor.analysis.verdict import ACCUSED, PlatformVerdict, State

HOUR = 3600
"""Seconds."""
LATE = 1.1
"""How much longer than configured the time between two cycles may be: starts vary at random."""


class Cause(StrEnum):
    """Why a verdict is undecided."""

    NO_CONTROL = "no_control"
    """It failed, or a part of it, and no control tested it."""
    CONTROL_FAILED = "control_failed"
    """It failed, and the controls gave nothing to compare with."""
    DOWN = "down"
    """It failed at the controls too, so whether it is blocked as well cannot be told."""
    OFFLINE = "offline"
    CAPTIVE_PORTAL = "captive_portal"
    INTERNATIONAL_CUT = "international_cut"
    ALLOWLIST = "allowlist"
    INTERCEPTED = "intercepted"
    """A device or program at the vantage's own site decrypts the connections."""
    LOSSY = "lossy"
    """Lost packets may explain what failed."""
    SLOW_LINE = "slow_line"
    UNFIT = "unfit"
    """The vantage's clock, exit, resolver or references do not allow a judgement."""
    UNCLEAR = "unclear"
    """The results do not agree, or nobody can say what they mean."""
    UNKNOWN = "unknown"
    """The verdict is deleted, there are too many to count causes, or a person left its vantage out:
    then it decides nothing here, as in events."""


CAUSES: Mapping[str, Cause] = {
    "control.missing": Cause.NO_CONTROL,
    "control.stale": Cause.CONTROL_FAILED,
    "control.dead": Cause.CONTROL_FAILED,
    "control.censored": Cause.CONTROL_FAILED,
    "part.no_control": Cause.NO_CONTROL,
    "part.control_failed": Cause.CONTROL_FAILED,
    "http.not_compared": Cause.CONTROL_FAILED,
    "look.led_elsewhere": Cause.CONTROL_FAILED,
    "egress.failed": Cause.UNFIT,
    "vantage.resolver_down": Cause.UNFIT,
    "vantage.offline": Cause.OFFLINE,
    "vantage.captive_portal": Cause.CAPTIVE_PORTAL,
    "vantage.no_tls": Cause.CAPTIVE_PORTAL,
    "vantage.large_packets": Cause.UNFIT,
    "tls.local_authority": Cause.INTERCEPTED,
    "dns.decrypted": Cause.INTERCEPTED,
    "vantage.international_cut": Cause.INTERNATIONAL_CUT,
    "vantage.allowlist": Cause.ALLOWLIST,
    "vantage.resolver_cut_off": Cause.UNFIT,
    "vantage.lossy": Cause.LOSSY,
    "loss.possible": Cause.LOSSY,
    "path.lossy": Cause.LOSSY,
    "line.slow": Cause.SLOW_LINE,
    "line.refuses": Cause.UNFIT,
    "dns.own_filter": Cause.UNFIT,
    "vantage.elsewhere": Cause.UNFIT,
    "vantage.other_network": Cause.UNFIT,
    "vantage.clock_skew": Cause.UNFIT,
    "tls.same_chain": Cause.UNFIT,
    "tls.known_nowhere": Cause.UNFIT,
    "vantage.no_references": Cause.UNFIT,
}
"""Rule of an undecided verdict → its cause; every other rule is unclear."""


def cause_of(verdict: PlatformVerdict) -> Cause | None:
    """Why a verdict does not decide whether there is a block; None when it does."""
    if verdict.state is State.DOWN:
        return Cause.DOWN
    if verdict.state is not State.INSUFFICIENT:
        return None
    return cause_by_rule(verdict.rule_id)


def cause_by_rule(rule: str) -> Cause:
    """Why a verdict is undecided that this rule gave."""
    return CAUSES.get(rule, Cause.UNCLEAR)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts on one platform from one network of a country."""

    country: str
    platform: str
    asn: int
    network: str
    states: Mapping[State, int]
    """Decided verdicts by state."""
    undecided: Mapping[Cause, int] = {}
    hours: int = 0
    """Hours of the clock in which at least one verdict was made."""

    @property
    def decided(self) -> int:
        """Decided verdicts."""
        return sum(self.states.values())

    @property
    def cycles(self) -> int:
        """All verdicts, one for each cycle of each vantage."""
        return self.decided + sum(self.undecided.values())


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a selection was decided, undecided and not measured."""

    tallies: tuple[Tally, ...] = ()
    """Of everything that was measured, or should have been."""
    not_measured: int | None = None
    """About how many more verdicts cycles in time would have given on what is in `tallies`; None
    where this cannot be known."""

    @property
    def cycles(self) -> int:
        """All verdicts, one for each platform, vantage and cycle."""
        return sum(one.cycles for one in self.tallies)

    @property
    def decided(self) -> int:
        """Decided verdicts."""
        return sum(one.decided for one in self.tallies)

    @property
    def signs(self) -> int:
        """Decided verdicts that show a block, or a part of one."""
        return sum(one.states.get(state, 0) for one in self.tallies for state in ACCUSED)

    @property
    def undecided(self) -> Mapping[Cause, int]:
        """Undecided verdicts by cause, the most frequent first."""
        causes: Counter[Cause] = Counter()
        for one in self.tallies:
            causes.update(one.undecided)
        return dict(causes.most_common())

    @property
    def platforms(self) -> int:
        """Number of platforms."""
        return len({one.platform for one in self.tallies})

    @property
    def networks(self) -> tuple[tuple[str, int, str], ...]:
        """Country, AS number and name of each network, in order."""
        return tuple(sorted({(one.country, one.asn, one.network) for one in self.tallies}))

    @property
    def networks_decided(self) -> int:
        """Number of networks with a decided verdict."""
        found = {(one.country, one.asn, one.network) for one in self.tallies if one.decided}
        return len(found)

    @property
    def complete(self) -> bool:
        """Whether everything was measured and decided, as far as is known."""
        return bool(self.cycles) and self.decided == self.cycles and not self.not_measured

    def of(self, network: tuple[str, int, str]) -> "Coverage":
        """The part of one network; how much of it was not measured is left open."""
        own = [one for one in self.tallies if (one.country, one.asn, one.network) == network]
        return Coverage(tallies=tuple(own))


class Tallies:
    """Counts verdicts one after another, in as much memory as there are networks and hours."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str, int, str], Counter[State]] = {}
        self._causes: dict[tuple[str, str, int, str], Counter[Cause]] = {}
        self._hours: dict[tuple[str, str, int, str], set[int]] = {}

    def expect(self, country: str, platform: str, asn: int, network: str) -> None:
        """A platform and network that count even where no verdict comes."""
        place = (country, platform, asn, network)
        if place not in self._states:
            self._states[place] = Counter()
            self._causes[place] = Counter()
            self._hours[place] = set()

    def add(self, verdict: PlatformVerdict, *, quarantined: bool = False) -> None:
        """One verdict of a field vantage, which may be in quarantine."""
        cause = cause_of(verdict) or (Cause.UNKNOWN if quarantined else None)
        place = (verdict.country, verdict.platform, verdict.asn, verdict.network)
        self.expect(*place)
        if cause is None:
            self._states[place][verdict.state] += 1
        else:
            self._causes[place][cause] += 1
        self._hours[place].add(int(verdict.judged_at.timestamp()) // HOUR)

    def add_counts(
        self,
        place: tuple[str, str, int, str],
        at: datetime,
        states: Mapping[State, int],
        undecided: Mapping[Cause, int],
    ) -> None:
        """Verdicts of one hour; `place` is country, platform, AS number and network."""
        self.expect(*place)
        decided = Counter(states)
        down = decided.pop(State.DOWN, 0)
        self._states[place] += decided
        self._causes[place] += Counter({**undecided, Cause.DOWN: down})
        self._hours[place].add(int(at.timestamp()) // HOUR)

    def made(self) -> tuple[Tally, ...]:
        """What was counted."""
        return tuple(
            Tally(
                country=place[0],
                platform=place[1],
                asn=place[2],
                network=place[3],
                states=dict(self._states[place]),
                undecided=dict(self._causes[place]),
                hours=len(self._hours[place]),
            )
            for place in sorted(self._states)
        )


def coverage_of(
    tallies: Iterable[Tally],
    since: datetime | None,
    until: datetime | None,
    interval: float,
) -> Coverage:
    """The coverage of a time in which each vantage should measure every `interval` seconds.

    Where the time has a start and an end, each hour without a verdict counts as not measured, as
    far as it lies within that time; where cycles are longer apart than an hour, each missing cycle
    does.
    """
    found = tuple(tallies)
    if since is None or until is None or interval <= 0:
        return Coverage(tallies=found)
    if interval * LATE > HOUR:
        spaced = int((until - since) / timedelta(seconds=interval * LATE))
        missing = sum(max(0, spaced - one.cycles) for one in found)
    else:
        first, last = int(since.timestamp()) // HOUR, -(-int(until.timestamp()) // HOUR)
        every, cycles = (until - since) / timedelta(seconds=interval), HOUR / interval
        missing = round(
            sum(_missing(one, (last - first - one.hours) * cycles, every, cycles) for one in found)
        )
    return Coverage(tallies=found, not_measured=missing)


def _missing(tally: Tally, by_hours: float, every: float, cycles: float) -> float:
    """About how many verdicts are missing: those of the hours without one, but no more than all of
    the time would have; `every` and `cycles` are how many a vantage makes in it and in an hour."""
    vantages = max(1, round(tally.cycles / (tally.hours * cycles))) if tally.hours else 1
    most = max(1.0, every * vantages - tally.cycles)
    return min(max(0.0, by_hours), most)
