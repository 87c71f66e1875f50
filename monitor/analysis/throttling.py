"""Throttling and stalls: is a platform made slow where everything else is not?

What it looked like where it happened:

* *Russia, Twitter, March 2021* (Xue et al., "Throttling Twitter", IMC 2021): a connection whose
  ClientHello named the platform was policed to 130–150 kbit/s by dropping what came above. The
  same address under another name was fast. A page still loads, so a look that stops early is ok.
* *Türkiye, Twitter, February 2023* (NetBlocks; Censored Planet): twelve hours of slowed handshakes
  and transfers, set against other names on the same prefix; invisible in daily averages.
* *Russia, foreign clouds, from June 2025* (Cloudflare; net4people): connections go silent after
  about 16 KB, whatever the rest of the exchange does. A look that stops at TLS sees nothing, and
  some names are spared, so the innocuous one shows it as well.

Slowness has many honest makers, each of which has to be ruled out: a slow line, a long way, loss,
a congested exchange with one content network, a platform in trouble. So a rate is never judged by
itself. Compared are, in rounds whose variants come close after each other in random order:

1. *the same address under an innocuous name*: the same servers and the same way, so only the name
   differs. Below NAME_RATIO of it is a sign;
2. where that gives no rate (many servers answer a foreign name with a short error), *an object
   elsewhere* on the same line, below SITE_RATIO, and likewise below what control gets. The way may
   be longer there: a rate that the round trip alone explains does not count, nor one that is usual
   for this stream;
3. *control*, in any case: what is slow there too is the platform's own trouble.

Slow at the address under either name is no accusation: congestion does the same. Silence is more
telling, since congestion slows and does not stop: a transfer that stops where another gets on is a
stall whatever the name. Two rounds at least, and two of three, have to agree; loss measured at the
vantage must not explain them.

Rates are in bits per second from the first mark at or after SKIP bytes, so that neither the wait
for the first byte nor the first flight of packets counts. N in "stalls at N bytes" is what the
answer came to; the network's own count also holds the handshake, some 3 to 6 KB more, and a TLS
record that had not come whole is not in N.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from statistics import median

import msgspec

from monitor.analysis.rules import RULES_VERSION
from monitor.analysis.verdict import Evidence, State, VantageHealth, VantageState, Verdict
from monitor.analysis.weight import llr, loss_explains
from probes.failure import TIMEOUTS, failure_class
from probes.measurement import (
    TRANSFER_INNOCUOUS,
    TRANSFER_REFERENCE,
    TRANSFER_TARGET,
    Layer,
    Measurement,
    TcpObservation,
    TlsObservation,
    TransferObservation,
)

CONTROL = "control"

NAME_RATIO = 0.3
"""Target against the innocuous name on the same address, below which it is slow."""
SITE_RATIO = 0.2
"""Target against an object elsewhere, and against control, below which it is slow."""
HABIT_RATIO = 0.5
"""Against the stream's own earlier ratio to the object elsewhere."""
HABIT = 5
"""Earlier ratios that make a habit."""
SLOW = 1_000_000.0
"""Bits per second below which a line is called slow."""
SKIP = 8 * 1024
"""Bytes not counted at the start."""
ENOUGH = 16 * 1024
"""Bytes after that which make a rate, or
ENOUGH_SECONDS of fewer."""
ENOUGH_SECONDS = 2.0
FURTHER = 4 * 1024
"""Bytes that another transfer has to get beyond the point where the target stalled."""
ROUNDS_NEEDED = 2
"""Rounds that have to agree, and two thirds of all."""
FIRST_FLIGHT = 14_600
"""Bytes a server sends before the first acknowledgement: ten segments."""


class TransferClass(StrEnum):
    """What the transfers of one object show."""

    OK = "ok"
    THROTTLED = "throttled"
    STALLED = "stalled"
    SLOW_UPLINK = "slow_uplink"
    """Everything is slow here: not an accusation."""
    INSUFFICIENT = "insufficient"


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Several values of one quantity."""

    low: float
    median: float
    high: float


class TransferCase(msgspec.Struct, frozen=True, kw_only=True):
    """The rounds on one object from one field vantage, put before the judge."""

    cycle: str
    vantage: str
    country: str
    asn: int
    network: str
    platform: str
    role: str
    endpoint: str
    """Id of the endpoint the verdict is about."""
    rounds: tuple[Measurement, ...]
    """Looks `transfer` from the field vantage, oldest first."""
    controls: tuple[Measurement, ...] = ()
    """Looks `transfer` of the same object from control vantages, however old."""
    distance: float = math.inf
    """Shortest time, in seconds, that connecting to the object's host lately took."""
    habit: tuple[float, ...] = ()
    """Earlier ratios of this object to the reference from here, of rounds that were not slow."""
    health: VantageHealth
    judged_at: datetime
    """UTC."""


class TransferVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the transfers of one object mean, with the numbers behind it."""

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
    """Bytes of the answer after which nothing more came."""

    @property
    def accuses(self) -> bool:
        """Whether it says throttled."""
        return self.verdict.state is State.THROTTLED

    @property
    def ratio(self) -> tuple[str, Spread] | None:
        """The most telling ratio there is, and against what."""
        return next(((k, self.ratios[k]) for k in _COMPARED if k in self.ratios), None)


class TransferRule(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    id: str
    meaning: str
    """One sentence for somebody who does not program."""
    state: State
    kind: TransferClass
    sub_method: str = ""
    evidence: Evidence = Evidence.NONE
    """The best grade it can give."""
    wrong_when: str
    """What would make it wrong."""
    matches: "Callable[[TransferFacts], bool]"


_NAMES = {
    TRANSFER_TARGET: "target",
    TRANSFER_INNOCUOUS: "innocuous",
    TRANSFER_REFERENCE: "reference",
}
_COMPARED = ("innocuous", "reference", "control")


# -- one transfer ------------------------------------------------------------------------------


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """One transfer in short."""

    bytes_read: int
    stalled: bool
    """Nothing more came, and nobody said why."""
    rate: float | None
    """Bits per second; None when too little came to tell, and after a stall."""
    counted: int = 0
    """Bytes the rate was measured on."""
    seconds: float = 0.0
    round_trip: float = 0.0
    """Seconds, as connecting took it; 0 when not known."""

    @property
    def distance_explains(self) -> bool:
        """Whether the round trip alone accounts for the rate: a window that opens does that."""
        trips = math.log2(self.counted / FIRST_FLIGHT + 1) + 1
        return self.seconds <= 2 * self.round_trip * trips


def pace(seen: TransferObservation, round_trip: float = 0.0) -> Pace:
    """The rate of one transfer, as far as it has one. Never raises."""
    stalled = seen.failure is not None and seen.failure in TIMEOUTS
    start = next(((t, n) for t, n in seen.marks if n >= SKIP), None)
    if seen.failure is not None or start is None:
        return Pace(bytes_read=seen.bytes_read, stalled=stalled, rate=None)
    end, total = seen.marks[-1]
    counted, seconds = total - start[1], end - start[0]
    enough = counted >= ENOUGH or (counted > 0 and seconds >= ENOUGH_SECONDS)
    return Pace(
        bytes_read=seen.bytes_read,
        stalled=False,
        rate=8 * counted / max(seconds, 1e-6) if enough else None,
        counted=counted,
        seconds=seconds,
        round_trip=round_trip,
    )


def paces(look: Measurement, distance: float = math.inf) -> dict[str, Pace]:
    """Variant (target, innocuous, reference) → its transfer, of those that got as far.

    `distance` is the shortest time that connecting to the target's host lately took.
    """
    return {
        _NAMES[seen.reason]: pace(seen, min(distance, _round_trip(look, seen.reason)))
        for seen in look.observations
        if isinstance(seen, TransferObservation) and seen.reason in _NAMES
    }


def _round_trip(look: Measurement, reason: str) -> float:
    """As connecting took it, or where a proxy hides that the handshake, which is one at least.

    The shortest to that host in the round: a full queue that an earlier transfer left behind is no
    distance.
    """
    same = {reason} if reason == TRANSFER_REFERENCE else {TRANSFER_TARGET, TRANSFER_INNOCUOUS}
    worked = [o for o in look.observations if o.reason in same and o.failure is None]
    for kind in (TcpObservation, TlsObservation):
        times = [o.duration for o in worked if isinstance(o, kind)]
        if times:
            return min(times)
    return 0.0


# -- one round ---------------------------------------------------------------------------------


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round in short."""

    look: Measurement
    paces: Mapping[str, Pace]

    def rate(self, variant: str) -> float | None:
        """Bits per second of a variant."""
        found = self.paces.get(variant)
        return found.rate if found is not None else None

    def ratio(self, variant: str) -> float | None:
        """Target's rate divided by that of `variant`."""
        target, other = self.rate("target"), self.rate(variant)
        return target / other if target is not None and other else None

    @property
    def telling(self) -> bool:
        """The target gave a rate, or stalled."""
        target = self.paces.get("target")
        return target is not None and (target.stalled or target.rate is not None)

    @property
    def missing(self) -> bool:
        """The target was not even asked: connecting or the handshake failed."""
        return "target" not in self.paces

    @property
    def compared(self) -> bool:
        """There is something to hold the target's rate against."""
        return self.ratio("innocuous") is not None or self.ratio("reference") is not None

    @property
    def stalled_alone(self) -> bool:
        """The target stopped where another transfer of the round got on."""
        target = self.paces.get("target")
        if target is None or not target.stalled:
            return False
        others = (self.paces.get("innocuous"), self.paces.get("reference"))
        return any(o is not None and gets_past(o, target.bytes_read) for o in others)

    @property
    def stalled(self) -> bool:
        """The target stopped."""
        target = self.paces.get("target")
        return target is not None and target.stalled

    @property
    def slow_by_name(self) -> bool:
        """Far slower than the same address under another name."""
        ratio = self.ratio("innocuous")
        return ratio is not None and ratio < NAME_RATIO

    @property
    def slow_site(self) -> bool:
        """Far slower than an object elsewhere, more than the way there explains."""
        ratio, target = self.ratio("reference"), self.paces.get("target")
        if ratio is None or target is None or ratio >= SITE_RATIO:
            return False
        return not target.distance_explains

    @property
    def suspicious(self) -> bool:
        """Worth looking again."""
        return self.stalled or self.slow_by_name or self.slow_site


def round_of(look: Measurement, distance: float = math.inf) -> Round:
    """What one round showed; `distance` as for `paces`. Never raises."""
    return Round(look=look, paces=paces(look, distance))


def gets_past(other: Pace, point: int) -> bool:
    """Whether a transfer got clearly beyond the byte at which another one stopped."""
    return other.bytes_read >= point + FURTHER


# -- the case ----------------------------------------------------------------------------------


class TransferFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules ask about a case."""

    case: TransferCase
    telling: tuple[Round, ...]
    stalls: tuple[Round, ...]
    """Rounds that stopped where another transfer got on."""
    by_name: tuple[Round, ...]
    by_site: tuple[Round, ...]
    """Rounds slow against an object elsewhere, where the innocuous name gave no rate."""
    by_address: tuple[Round, ...]
    """Rounds slow against an object elsewhere, and not against the innocuous name."""
    controls: tuple[Pace, ...]
    """Of controls that began after the first round of those that count."""
    control_ids: tuple[str, ...] = ()

    def agree(self, rounds: Sequence[Round]) -> bool:
        """Enough rounds, and most of those that tell anything."""
        return len(rounds) >= ROUNDS_NEEDED and 3 * len(rounds) >= 2 * len(self.telling)

    @property
    def able(self) -> bool:
        """The vantage is well and loses little."""
        return self.case.health.state is VantageState.OK

    @property
    def stall(self) -> bool:
        """Enough rounds stopped."""
        return self.agree(self.stalls)

    @property
    def stalled_by_name(self) -> bool:
        """Each time, the same address got further under the innocuous name."""
        return self.stall and all(_name_got_past(one) for one in self.stalls)

    @property
    def slow(self) -> tuple[Round, ...]:
        """The rounds that make the object slow, of the better kind; none when too few agree."""
        return next((r for r in (self.by_name, self.by_site) if self.agree(r)), ())

    @property
    def loss_explains(self) -> bool:
        """Loss as measured at the vantage may have done as much."""
        rounds = len(self.stalls) if self.stall else len(self.slow)
        return loss_explains(self.case.health.timeout_rate, rounds)

    @property
    def control_fine(self) -> bool:
        """A control got the object as it should: further, or clearly faster."""
        if self.stall:
            point = max(_point(one) for one in self.stalls)
            return any(gets_past(c, point) for c in self.controls)
        rate = _typical_rate(self.slow)
        limit = NAME_RATIO if self.slow is self.by_name else SITE_RATIO
        return any(c.rate is not None and rate < limit * c.rate for c in self.controls)

    @property
    def slow_everywhere(self) -> bool:
        """Controls could tell, and none of them fared better."""
        if self.control_fine:
            return False
        if self.stall:
            return any(c.stalled for c in self.controls)
        return any(c.stalled or c.rate is not None for c in self.controls)


def examine(case: TransferCase) -> TransferFacts:
    """Reduce a case to the facts the rules ask about. Never raises."""
    telling = tuple(r for r in (round_of(look, case.distance) for look in case.rounds) if r.telling)
    by_name = tuple(r for r in telling if r.slow_by_name)
    by_site = tuple(r for r in telling if r.slow_site and r.ratio("innocuous") is None)
    if len(case.habit) >= HABIT:
        usual = HABIT_RATIO * median(case.habit)
        by_site = tuple(r for r in by_site if (r.ratio("reference") or 0.0) < usual)
    wrong = [r.look.ended_at for r in telling if r.suspicious]
    controls = [c for c in case.controls if wrong and c.started_at.timestamp() >= wrong[0]]
    seen = [(c.id, p) for c in controls if (p := paces(c).get("target")) is not None]
    return TransferFacts(
        case=case,
        telling=telling,
        stalls=tuple(r for r in telling if r.stalled_alone),
        by_name=by_name,
        by_site=by_site,
        by_address=tuple(
            r
            for r in telling
            if r.slow_site and not r.slow_by_name and r.ratio("innocuous") is not None
        ),
        controls=tuple(p for _, p in seen),
        control_ids=tuple(sorted(i for i, _ in seen)),
    )


def _point(stalled: Round) -> int:
    return stalled.paces["target"].bytes_read


def _name_got_past(stalled: Round) -> bool:
    other = stalled.paces.get("innocuous")
    return other is not None and gets_past(other, _point(stalled))


def _typical_rate(rounds: Sequence[Round]) -> float:
    rates = [rate for r in rounds if (rate := r.rate("target")) is not None]
    return median(rates) if rates else math.inf


def _fine(facts: TransferFacts) -> bool:
    """Most rounds were compared and found neither slow nor stopped."""
    fine = [r for r in facts.telling if r.compared and not r.suspicious]
    return bool(fine) and 2 * len(fine) > len(facts.telling)


def _slow_line(facts: TransferFacts) -> bool:
    rates = [r.rate(v) for r in facts.telling for v in _NAMES.values()]
    known = [rate for rate in rates if rate is not None]
    return _fine(facts) and bool(known) and max(known) < SLOW


# -- judging -----------------------------------------------------------------------------------


def judge_transfers(case: TransferCase) -> TransferVerdict:
    """The verdict on the transfers of one object. Total, and the same for the same case."""
    facts = examine(case)
    rule = next(rule for rule in THROTTLING_RULES if rule.matches(facts))
    accused = rule.state is State.THROTTLED
    deciding = facts.stalls if rule.kind is TransferClass.STALLED else facts.slow
    rounds = (deciding if accused else facts.telling) or tuple(map(round_of, case.rounds))
    evidence = _evidence(facts, rule) if accused else Evidence.NONE
    last = rounds[-1].look if rounds else None
    return TransferVerdict(
        kind=rule.kind,
        object=last.endpoint if last is not None else case.endpoint,
        rounds=len(facts.telling),
        rates=_rates(facts),
        ratios=_ratios(facts),
        stalled_at=_spread([float(_point(r)) for r in facts.telling if r.stalled]),
        verdict=Verdict(
            measurement=last.id if last is not None else "",
            controls=facts.control_ids,
            cycle=case.cycle,
            vantage=case.vantage,
            country=case.country,
            asn=case.asn,
            network=case.network,
            vantage_role="field",
            platform=case.platform,
            role=case.role,
            endpoint=case.endpoint,
            state=rule.state,
            method="throttling" if accused else "",
            sub_method=rule.sub_method,
            rule_id=rule.id,
            evidence=evidence,
            llr=llr(rule.state, evidence),
            failures={} if last is None or rule.state is State.OK else _failures(last),
            judged_at=case.judged_at,
            rules_version=RULES_VERSION,
        ),
    )


def combine(verdicts: Sequence[Verdict], speeds: Sequence[TransferVerdict]) -> list[Verdict]:
    """The verdicts of a cycle with those on speed worked in, one for each endpoint.

    Where an endpoint has a verdict of its own, speed changes it only to accuse, and only where it
    works over TCP or failed by falling silent half-way, which a stall explains better. An object
    that is no endpoint of the catalogue brings a verdict of its own.
    """
    combined = {(v.platform, v.role, v.endpoint): v for v in verdicts}
    for speed in speeds:
        key = (speed.verdict.platform, speed.verdict.role, speed.verdict.endpoint)
        known = combined.get(key)
        if known is None or (speed.accuses and _yields(known)):
            combined[key] = speed.verdict
    return list(combined.values())


def _yields(verdict: Verdict) -> bool:
    works = verdict.state is State.OK or verdict.only_quic
    return works or verdict.failures.get(Layer.HTTP.value, "") in TIMEOUTS


def _evidence(facts: TransferFacts, rule: TransferRule) -> Evidence:
    """Strong when control fared well and nothing but the name, or one fixed point, is left."""
    if not facts.control_fine:
        return Evidence.WEAK
    if rule.kind is TransferClass.STALLED:
        points = [_point(r) for r in facts.stalls]
        alike = max(points) - min(points) <= max(SKIP, min(points) // 2)
        return Evidence.STRONG if alike else Evidence.WEAK
    if facts.slow is not facts.by_name:
        return Evidence.WEAK
    # Rates wander: they have to lie apart, not only their middles.
    targets = [r.rate("target") or 0.0 for r in facts.telling]
    others = [rate for r in facts.telling if (rate := r.rate("innocuous")) is not None]
    return Evidence.STRONG if max(targets) < min(others) else Evidence.WEAK


def _failures(look: Measurement) -> dict[str, str]:
    for seen in look.observations:
        if (
            isinstance(seen, TransferObservation)
            and seen.reason == TRANSFER_TARGET
            and seen.failure
        ):
            return {Layer.TRANSFER.value: failure_class(seen.failure)}
    return {}


def _rates(facts: TransferFacts) -> dict[str, Spread]:
    found = {
        name: _spread([rate for r in facts.telling if (rate := r.rate(name)) is not None])
        for name in _NAMES.values()
    }
    found[CONTROL] = _spread([c.rate for c in facts.controls if c.rate is not None])
    return {name: spread for name, spread in found.items() if spread is not None}


def _ratios(facts: TransferFacts) -> dict[str, Spread]:
    found = {
        name: _spread([ratio for r in facts.telling if (ratio := r.ratio(name)) is not None])
        for name in ("innocuous", "reference")
    }
    best = max((c.rate for c in facts.controls if c.rate is not None), default=0.0)
    targets = [rate for r in facts.telling if (rate := r.rate("target")) is not None]
    found[CONTROL] = _spread([rate / best for rate in targets]) if best else None
    return {name: spread for name, spread in found.items() if spread is not None}


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    return Spread(low=min(values), median=median(values), high=max(values))


THROTTLING_RULES: tuple[TransferRule, ...] = (
    TransferRule(
        id="throttling.insufficient",
        meaning="Too few transfers got far enough, or the vantage itself is not well, so nothing"
        " can be said about the platform's speed.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="Never: it claims nothing.",
        matches=lambda facts: not facts.able or not facts.telling,
    ),
    TransferRule(
        id="throttling.slow_everywhere",
        meaning="It is as slow, or stops as well, at the control: the platform is in trouble.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="The control is throttled too, or is on a slow line itself.",
        matches=lambda facts: bool(facts.stall or facts.slow) and facts.slow_everywhere,
    ),
    TransferRule(
        id="throttling.loss",
        meaning="It is slow or stops, but so much is lost on this line that this is no sign.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="It is throttled by dropping packets on a bad line.",
        matches=lambda facts: bool(facts.stall or facts.slow) and facts.loss_explains,
    ),
    TransferRule(
        id="throttling.stall",
        meaning="Its transfers go silent after some bytes, where others on the same line get on.",
        state=State.THROTTLED,
        kind=TransferClass.STALLED,
        sub_method="stall",
        evidence=Evidence.STRONG,
        wrong_when="The platform's nearest servers are faulty, and the control met others.",
        # The platform's own servers may stop: only the name or a control tells them apart.
        matches=lambda facts: facts.stall and (facts.stalled_by_name or facts.control_fine),
    ),
    TransferRule(
        id="throttling.rate",
        meaning="It comes far more slowly than other things on the same line, and than at the"
        " control.",
        state=State.THROTTLED,
        kind=TransferClass.THROTTLED,
        sub_method="rate",
        evidence=Evidence.STRONG,
        wrong_when="The platform's nearest servers make this visitor wait, as they do robots.",
        # Without the innocuous name as a witness, control is the only one.
        matches=lambda facts: (
            bool(facts.slow) and (facts.slow is facts.by_name or facts.control_fine)
        ),
    ),
    TransferRule(
        id="throttling.slow_address",
        meaning="Its servers are slow to answer under any name: the way to them may be congested.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="The network slows the platform's addresses down, whatever name is asked for.",
        matches=lambda facts: facts.agree(facts.by_address),
    ),
    TransferRule(
        id="throttling.slow_uplink",
        meaning="It comes as fast as other things do, on a line on which everything is slow.",
        state=State.OK,
        kind=TransferClass.SLOW_UPLINK,
        wrong_when="It is held to a speed above that of the line, or everything is slowed down.",
        matches=_slow_line,
    ),
    TransferRule(
        id="throttling.none",
        meaning="It comes as fast as other things on the same line.",
        state=State.OK,
        kind=TransferClass.OK,
        wrong_when="It is slowed down only at times, or only beyond what was asked for.",
        matches=_fine,
    ),
    TransferRule(
        id="throttling.unclear",
        meaning="The transfers do not agree, or there was nothing to compare them with.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="It is throttled part of the time.",
        matches=lambda _: True,
    ),
)
"""Tried in order; the last one always matches."""
