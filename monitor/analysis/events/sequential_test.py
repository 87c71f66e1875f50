"""The sequential test of one stream: one platform at one vantage, reading by reading.

    PlatformVerdict ── reading_of ──▶ Reading ── update ──▶ Detector

    unknown ── clears ──▶ clear ── accuses ──▶ suspicious ──▶ suspected ──▶ blocked ⇄ recovering
                            ◀──────── clears ──────┴────────────┘                         │
                            ◀──────────────────────────── clears ─────────────────────────┘

**The score** is a cumulative sum (Page 1954) of log-likelihood ratios, blocked against open, of
each reading *given those before it*; it never falls below 0. The score for the end is its mirror,
kept only while blocked. With such increments the mean time to a false alarm is at least e^h
readings for a threshold h, for dependent and independent readings (Lorden 1971; Lai 1998):

    h = ln(readings a year at the base interval / false alarms allowed a year)

Only the allowed false alarms and the behaviour of wrong readings are set by hand. One reading alone
never confirms.

**Wrong readings come in episodes** (Gilbert 1960): a burst of loss, a server taken out of service.
A first accusation weighs its `llr`. One that follows may be the same fault again, and weighs

    −ln(s + (1 − s)·rate),   s = again · exp(−seconds since the last accusation / length)

so two measurements 30 s apart add little more than one, and what packet loss can explain never
confirms sooner than faults go away. The length depends on what is accused (`Persistence`): one
function can be one server's fault, and weighs less. *Conclusive* readings are exempt, since their
follow-ups ruled out lasting faults: two confirm. Not so where one owner's addresses are silent
beside others that answer: now and then a route is dead for these alone, so that such a block must
outlast most dead routes. A better grade than all before it in the run adds at least the difference
in weight. Silence, and resolvers that lead astray, never confirm alone unless they are conclusive:
a dead route or cache lasts for days, and repetition tells nothing of it (docs/adr/0034). Nor do
they help a brief fault to: only readings that confirm alone add up to certainty, or one more that
is conclusive. If the control recently saw an outage, an accusation may be part of that outage, and
weighs as a repeated one; a conclusive one as what chance shows amid an outage in part
(docs/adr/0067). So do false certificates at a site that opened TLS lately: what shows it on other
hosts may be lost for once.

**Interference that comes and goes.** A censor that acts for seconds in each minute is found open by
most readings, and each run of accusations comes to nothing. Against such a block a clearing reading
weighs only ln(1 − d), where d is the share of time in which it acts, and an accusing one ln d less.
So what a run showed that somebody must have sent, or that was conclusive, is carried into the next
run for an hour. Silence is not: bad lines come and go as well.

**The rate of wrong readings is learned** for each stream, of weak and of strong ones, with
shrinkage: a beta prior worth `prior_wrong` whose mean is exp(−llr). Accusations count only once the
stream cleared without having been suspected, so that no block is learned as normal. The rate is
capped (`cap_weak`, `cap_strong`), plus the share of readings at which the *control* failed too. An
undecided run counts its own accusations as well, for it may be a bad line that nobody knows yet.
During an outage nothing is learned.

**Onset and end are bounds** of when the score left zero, not of the alarm. A measurement takes
time, so a reading shows that its state held at some moment from `since` to `until`, when its
deciding attempts began and ended. Onset: from `since` of the last clearing reading before the run
(None: never open before) to `until` of its first accusing one, or, where readings cleared in
between, of the first accusing one after these. End: from `since` of the last accusing reading
before the score for the end left zero to `until` of the first clearing one after the last that
accuses. docs/adr/0018 shows why the truth lies within. After more than `gap` seconds without an
accusing reading, in which one cleared, an accusing one begins a run of its own, however few cleared
and whatever was suspected before: nobody knows that the block went on (docs/adr/0047).

**Silence is no evidence.** *Insufficient* and *down* neither accuse nor clear; *throttled* accuses
with strong evidence. After `gap` seconds without an accusing or clearing reading the stream is
`stale`: scores halve every `gap`, a clear stream becomes unknown, and a mere suspicion is
forgotten. Suspected and blocked remain: silence is no recovery.

**Order.** A reading of the latest cycle, or one that is not newer than the latest, changes nothing,
so repeats are harmless. `monitor.analysis.events.verdict_order` puts late verdicts in their place.

Sources: E. S. Page, Continuous inspection schemes, Biometrika 1954; G. Lorden, Procedures for
reacting to a change in distribution, Ann. Math. Stat. 1971; T. L. Lai, Information bounds and quick
detection of parameter changes in stochastic systems, IEEE Trans. Inf. Theory 1998; E. N. Gilbert,
Capacity of a burst-noise channel, Bell Syst. Tech. J. 1960.
"""

import math
from datetime import datetime
from enum import StrEnum

import msgspec

from monitor.analysis.judge.grade_by_sign import NARROWER, llr
from monitor.analysis.verdict import ACCUSED, Evidence, FunctionVerdict, PlatformVerdict, State

YEAR = 365.25 * 86400
"""Seconds."""
_ANSWERED = frozenset(
    {"reset", "refused", "eof", "alert", "certificate", "blockpage", "known_blockpage"}
    | {"injection", "bogon"}
)
"""Sub-methods whose innocent cause is one faulty server. Others come from faulty paths or from
resolvers, which cache a wrong answer."""
_UNTOLD = frozenset({"timeout", "unreachable", "address", "servfail", "hijack"})
"""Sub-methods that faults without an end show as well, unless follow-ups ruled them out."""
_SILENT = frozenset({"tcp.timeout", "tcp.unreachable", "tls.address"})
"""Methods of addresses that answer nothing, whatever the name."""
_OPENED = frozenset({"tls.local_authority", "vantage.no_tls"})
"""Rules by which a device at the vantage's own site opens TLS."""
ACTS, CARRIED = 0.1, 3600.0
"""The least share of time (0–1) in which interference that comes and goes is expected to act, and
the seconds for which a run counts that came to nothing."""
_UNTOLD_WEAK = frozenset(
    {
        "dns.reset",
        "dns.eof",
        "tls.certificate",
        "tls.handshake",
        "http.status_451",
        "udp.stun",
        "quic.refused",
    }
)
"""Methods that do so while evidence is weak, or, as a server near by that speaks no QUIC, ever."""
STRONG = (Evidence.STRONG, Evidence.CONCLUSIVE)
SHORT = 1.0
"""Score (nats) by which what another vantage must confirm stays below the threshold."""
FORGOTTEN = 1.0
"""Score (nats) below which a fading suspicion is dropped."""


class Kind(StrEnum):
    ACCUSES = "accuses"
    CLEARS = "clears"
    NEITHER = "neither"


class Persistence(StrEnum):
    """How long an innocent cause of an accusing reading would last."""

    NONE = "none"
    """Conclusive: follow-ups ruled out lasting causes."""
    ROUTE = "route"
    """Conclusive, and silence of one owner's platforms: a route that is dead for these alone."""
    BRIEF = "brief"
    """Something answered wrongly: a faulty server."""
    LASTING = "lasting"
    """A timeout, a resolver or weak evidence: loss, or a faulty path."""
    NARROW = "narrow"
    """One function of the platform: a faulty server, or the route to it."""
    SLOW = "slow"
    """Throttling: congestion, and verdicts that last until the speed is measured again."""


class Phase(StrEnum):
    UNKNOWN = "unknown"
    CLEAR = "clear"
    SUSPICIOUS = "suspicious"
    SUSPECTED = "suspected"
    """Past the first threshold."""
    BLOCKED = "blocked"
    """Past the second: this network alone confirms."""
    RECOVERING = "recovering"
    """Blocked, and clearing readings came since."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict, as far as the test needs it."""

    at: datetime
    """UTC; when the first measurement behind the verdict began."""
    since: datetime | None = None
    """UTC; when the attempts that decided began; None: at `at`."""
    until: datetime | None = None
    """UTC; when they ended; None: at `at`."""
    cycle: str
    kind: Kind
    llr: float = 0.0
    """Log-likelihood ratio of a fresh reading, in nats: > 0 when it accuses, < 0 when it clears."""
    evidence: Evidence = Evidence.NONE
    persistence: Persistence = Persistence.NONE
    alone: bool = True
    """Enough readings of this kind confirm without another vantage."""
    control_failed: bool = False
    """The control could not reach the platform, or a core function of it, either. What is less
    than conclusive beside such a function is weak already."""
    opened: bool = False
    """A device at the vantage's own site opened TLS."""
    forged: bool = False
    """It accuses by a false certificate."""

    @property
    def conclusive(self) -> bool:
        """Whether follow-ups ruled out ordinary faults."""
        return self.evidence is Evidence.CONCLUSIVE

    @property
    def strong(self) -> bool:
        return self.evidence in STRONG


class Episodes(msgspec.Struct, frozen=True, kw_only=True):
    """How long one kind of wrong readings lasts."""

    length: float
    """Mean seconds an episode lasts once it is noticed."""
    again: float = 1.0
    """Chance (0–1) that another measurement in the episode is wrong in the same way."""

    def same(self, seconds: float) -> float:
        """The chance that a reading this many seconds later is wrong by the same episode."""
        return self.again * math.exp(-seconds / self.length)


class DetectorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The allowed false alarms, and how wrong readings behave. All thresholds follow from these."""

    base_interval: float = 300.0
    """Seconds between readings while nothing is suspicious."""
    false_suspected: float = 0.02
    """Streams wrongly suspected per stream-year."""
    false_confirmed: float = 0.001
    """Streams wrongly called blocked per stream-year."""
    false_ends: float = 12.0
    """Blocks wrongly declared over per year of block. The more are allowed, the sooner an end is
    found."""
    gap: float = 1800.0
    """Seconds without an accusing or clearing reading after which nothing is known."""
    brief: Episodes = Episodes(length=120.0, again=0.5)
    lasting: Episodes = Episodes(length=600.0)
    route: Episodes = Episodes(length=400.0)
    narrow: Episodes = Episodes(length=900.0)
    slow: Episodes = Episodes(length=1200.0)
    leak: Episodes = Episodes(length=180.0, again=0.7)
    """Clearing readings during a block: a filter overloaded or restarted."""
    outage: Episodes = Episodes(length=1800.0, again=0.95)
    """Accusations after the control failed too."""
    opened: Episodes = Episodes(length=86400.0)
    """False certificates after a device at the vantage's own site opened TLS."""
    mistaken_in_outage: float = 0.1
    """Chance (0–1) that a reading amid an outage in part looks conclusive. Where servers fail three
    times in four it is half as high in benchmarks/simulation."""
    prior_wrong: float = 0.02
    """Wrong readings that the prior is worth: few, so that a few of the stream's own outweigh it.
    """
    memory: float = 2016.0
    """Readings remembered in that rate: a week of five-minute cycles."""
    cap_weak: float = 0.2
    """Highest rate of wrong readings of any stream, when the control sees none."""
    cap_strong: float = 0.02
    forget_after: float = 30 * 86400.0
    """Seconds of silence after which nothing is known of a block any more."""
    decided: bool = False
    """Strong readings are decisions made before, from many measurements each: one that clears is
    enough, and weak ones between them only date."""

    @property
    def readings_a_year(self) -> float:
        return YEAR / self.base_interval

    @property
    def suspect_at(self) -> float:
        """Score, in nats, from which a stream is suspected."""
        return math.log(self.readings_a_year / self.false_suspected)

    @property
    def confirm_at(self) -> float:
        return math.log(self.readings_a_year / self.false_confirmed)

    @property
    def end_at(self) -> float:
        """Score for the end from which a block is over."""
        return math.log(self.readings_a_year / self.false_ends)

    @property
    def end_readings(self) -> int:
        """Clearing readings from which a block is over for one that never found it."""
        clears = -llr(State.OK, Evidence.NONE)
        return 1 if self.decided else max(1, math.ceil(self.end_at / clears))


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The wrong readings of a stream; all counts fade beyond `memory`."""

    readings: float = 0.0
    """Clearing readings, and accusing ones that came to nothing."""
    wrong: float = 0.0
    """Accusing ones that came to nothing, except conclusive ones."""
    wrong_strong: float = 0.0
    down: float = 0.0
    """Readings at which the control failed too."""


# As many are kept as a fleet has vantages and platforms, and none is part of a circle.
class Detector(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of one stream. Never changed in place."""

    phase: Phase = Phase.UNKNOWN
    score: float = 0.0
    """Nats in favour of a block; 0 without a run."""
    end_score: float = 0.0
    """Nats in favour of its end; 0 unless recovering."""
    onset_earliest: datetime | None = None
    """Of the present or last run: the last moment known to be open before it; None when never
    open."""
    onset_latest: datetime | None = None
    """First moment known to be blocked; None before any."""
    end_earliest: datetime | None = None
    """Last moment known to be blocked; None unless recovering, or over."""
    end_latest: datetime | None = None
    """First moment known to be open after it; None unless recovering, or over."""
    run_at: datetime | None = None
    """When the first accusing reading of the present or last run began; None before any."""
    at: datetime | None = None
    """Of the last reading, of whatever kind."""
    cycle: str = ""
    accused_at: datetime | None = None
    cleared_at: datetime | None = None
    accused_since: datetime | None = None
    """`since` of the last accusing reading."""
    cleared_since: datetime | None = None
    """`since` of the last clearing reading."""
    down_at: datetime | None = None
    """Of the last reading at which the control failed too."""
    opened_at: datetime | None = None
    """Of the last reading at which a device at the vantage's own site opened TLS."""
    open_since: datetime | None = None
    """`until` of the first clearing reading since the last accusing one."""
    best: float = 0.0
    """The highest weight of one reading of the run."""
    own: float = 0.0
    """Nats of the run from readings that confirm without another vantage, of the last hour."""
    own_at: datetime | None = None
    """Of the last such reading."""
    conclusive: int = 0
    wrong: float = 0.0
    """Accusations of the run that count as wrong if it comes to nothing; repeats within an episode
    count as part of one."""
    wrong_strong: float = 0.0
    sent: float = 0.0
    """The highest weight of a reading of the run that no silence explains."""
    sent_at: datetime | None = None
    """Of the last such reading, of whatever run."""
    carried: float = 0.0
    """Nats from the runs of the last hour that came to nothing."""
    baseline: Baseline = Baseline()

    @property
    def blocked(self) -> bool:
        """Whether this stream alone confirms a block that has not ended."""
        return self.phase in (Phase.BLOCKED, Phase.RECOVERING)

    @property
    def known_at(self) -> datetime | None:
        """When the last accusing or clearing reading began."""
        return max((t for t in (self.accused_at, self.cleared_at) if t is not None), default=None)


def reading_of(verdict: PlatformVerdict) -> Reading:
    """The reading of a verdict, weighed by today's table, however old it is."""
    state, evidence = verdict.state, verdict.evidence
    slow = verdict.method == "throttling"
    signs = (State.BLOCKED, State.DEGRADED, State.PARTIAL)
    blocked = state in signs and not slow and evidence is not Evidence.NONE
    throttled = (state is State.THROTTLED or (state in signs and slow)) and evidence in STRONG
    kind = Kind.NEITHER
    weight = 0.0
    persistence = Persistence.NONE
    if blocked or throttled:
        kind, persistence = Kind.ACCUSES, _persistence(verdict)
        weight = llr(State.BLOCKED, evidence) - (
            NARROWER if persistence is Persistence.NARROW else 0.0
        )
    elif state is State.OK:
        kind, weight = Kind.CLEARS, llr(State.OK, Evidence.NONE)
    return Reading(
        at=verdict.started_at,
        since=verdict.since,
        until=verdict.until,
        cycle=verdict.cycle,
        kind=kind,
        llr=weight,
        evidence=evidence if kind is Kind.ACCUSES else Evidence.NONE,
        persistence=persistence,
        alone=evidence is Evidence.CONCLUSIVE or throttled or not _untold(verdict),
        control_failed=state is State.DOWN
        or (evidence is Evidence.CONCLUSIVE and any(map(_core_down, verdict.functions))),
        opened=verdict.rule_id in _OPENED,
        forged=kind is Kind.ACCUSES
        and f"{verdict.method}.{verdict.sub_method}" == "tls.certificate",
    )


def update(state: Detector, reading: Reading, settings: DetectorSettings) -> Detector:
    """The state after one more reading; unchanged when it is a repeat or late."""
    if state.at is not None and (reading.at <= state.at or reading.cycle == state.cycle):
        return state
    apart = _apart(state, reading.at, settings)
    state = _faded(state, reading.at, settings)
    if reading.control_failed:
        baseline = _learned(state.baseline, settings, down=1.0)
        state = _with(state, down_at=reading.at, baseline=baseline)
    if reading.kind is Kind.ACCUSES:
        state = _accused(state, reading, settings)
        state = _begun(state, reading) if apart else state
    elif reading.kind is Kind.CLEARS:
        state = _cleared(state, reading, settings)
    elif reading.opened:
        state = _with(state, opened_at=reading.at)
    return _with(state, at=reading.at, cycle=reading.cycle)


def suspicious(state: Detector) -> bool:
    """Whether to measure again soon: accused or recovering, and undecided."""
    return state.phase in (Phase.SUSPICIOUS, Phase.SUSPECTED, Phase.RECOVERING)


def stale(state: Detector, now: datetime, settings: DetectorSettings) -> bool:
    """Whether nothing is known for longer than `gap`, whatever the phase."""
    known = state.known_at
    return known is None or (now - known).total_seconds() > settings.gap


def _apart(state: Detector, at: datetime, settings: DetectorSettings) -> bool:
    """Whether an accusing reading at this moment says nothing of the time since the last one."""
    return state.open_since is not None and _seconds(state.accused_at, at) > settings.gap


def _begun(state: Detector, reading: Reading) -> Detector:
    """The state with a run that begins with this reading."""
    return _with(
        state,
        run_at=reading.at,
        onset_earliest=state.cleared_since,
        onset_latest=reading.until or reading.at,
        end_earliest=None,
        end_latest=None,
    )


def _accused(state: Detector, reading: Reading, settings: DetectorSettings) -> Detector:
    if state.blocked:
        return _accused_again(state, reading, settings)
    if state.score == 0.0:
        state = _with(
            _begun(state, reading),
            best=0.0,
            conclusive=0,
            wrong=0.0,
            wrong_strong=0.0,
            sent=0.0,
            own=0.0,
            carried=_carried(state, reading.at),
        )
    elif state.open_since is not None:
        # It was measured open since the run began.
        state = _with(state, onset_latest=reading.until or reading.at)
    same = _same(state, reading, settings)
    alone = _alone(state, reading, settings)
    outage = settings.outage.same(_seconds(state.down_at, reading.at))
    most = _weighed(outage * (settings.mistaken_in_outage if reading.conclusive else 1.0), alone)
    if reading.forged:
        opened = settings.opened.same(_seconds(state.opened_at, reading.at))
        most = min(most, _weighed(opened, alone))
    counts = reading.strong or not settings.decided
    gain = min(_gain(state, reading, same, alone), most) if counts else 0.0
    sent = reading.strong and reading.persistence in (Persistence.NONE, Persistence.BRIEF)
    carried = state.carried if sent and not state.sent else 0.0
    score, own = state.score + gain + carried, _own(state, reading.at, settings)
    limit = max(state.score, settings.confirm_at - SHORT)
    if reading.alone and counts:
        # The first of them is no repeat of what another vantage must confirm.
        own += carried + (gain if own else min(alone, most))
        limit = max(limit, own)
    if not (reading.alone and (reading.conclusive or own >= settings.confirm_at)):
        score = min(score, limit)
    fresh = 0.0 if reading.conclusive else (1.0 - same) * (1.0 - outage)
    return _with(
        state,
        phase=_phase(state, score, settings),
        score=score,
        sent=max(state.sent, min(alone, most)) if sent else state.sent,
        sent_at=reading.at if sent else state.sent_at,
        own=own,
        own_at=reading.at if reading.alone else state.own_at,
        accused_at=reading.at,
        accused_since=reading.since or reading.at,
        open_since=None,
        best=max(state.best, alone),
        conclusive=state.conclusive + reading.conclusive,
        wrong=state.wrong + fresh,
        wrong_strong=state.wrong_strong + (fresh if reading.strong else 0.0),
    )


def _accused_again(state: Detector, reading: Reading, settings: DetectorSettings) -> Detector:
    end_score = max(0.0, state.end_score - _alone(state, reading, settings))
    return _with(
        state,
        phase=Phase.RECOVERING if end_score > 0.0 else Phase.BLOCKED,
        end_score=end_score,
        end_earliest=state.end_earliest if end_score > 0.0 else None,
        end_latest=None,
        accused_at=reading.at,
        accused_since=reading.since or reading.at,
        open_since=None,
        conclusive=state.conclusive + reading.conclusive,
    )


def _cleared(state: Detector, reading: Reading, settings: DetectorSettings) -> Detector:
    if state.blocked:
        return _cleared_again(state, reading, settings)
    score, own = (
        0.0 if settings.decided else max(0.0, one + reading.llr) for one in (state.score, state.own)
    )
    open_since = state.open_since or reading.until or reading.at
    wrong = strong = 0.0
    carried = max(0.0, state.carried + math.log(1.0 - ACTS))
    over: dict[str, object] = {}
    if score == 0.0 and state.phase is Phase.SUSPICIOUS:
        wrong, strong = state.wrong, state.wrong_strong
    if score == 0.0 and state.phase in (Phase.SUSPICIOUS, Phase.SUSPECTED):
        over = {"end_earliest": state.accused_since, "end_latest": open_since}
        if state.sent:
            carried = max(carried, carried + state.sent + math.log(ACTS))
    return _with(
        state,
        phase=state.phase if score > 0.0 else Phase.CLEAR,
        score=score,
        cleared_at=reading.at,
        cleared_since=reading.since or reading.at,
        open_since=open_since,
        own=own,
        carried=carried,
        baseline=_learned(state.baseline, settings, right=1.0, wrong=wrong, strong=strong),
        **over,
    )


def _cleared_again(state: Detector, reading: Reading, settings: DetectorSettings) -> Detector:
    same = 0.0
    if state.end_score > 0.0:
        same = settings.leak.same(_seconds(state.cleared_at, reading.at))
    end_score = state.end_score - math.log(same + (1.0 - same) * math.exp(reading.llr))
    over = end_score >= settings.end_at
    # After a long silence what was found open before it dates no end.
    known = state.open_since if state.phase is Phase.RECOVERING else None
    open_since = known or reading.until or reading.at
    return _with(
        state,
        phase=Phase.CLEAR if over else Phase.RECOVERING,
        score=0.0 if over else state.score,
        end_score=0.0 if over else end_score,
        end_earliest=state.end_earliest or state.accused_since,
        end_latest=open_since,
        cleared_at=reading.at,
        cleared_since=reading.since or reading.at,
        open_since=open_since,
    )


def _carried(state: Detector, at: datetime) -> float:
    """What runs of the last hour add to one that begins now."""
    return state.carried if _seconds(state.sent_at, at) <= CARRIED else 0.0


def _own(state: Detector, at: datetime, settings: DetectorSettings) -> float:
    """What readings of the last hour that confirm without another vantage add up to."""
    recent = _seconds(state.own_at, at) <= max(CARRIED, settings.gap)
    return state.own if recent else 0.0


def _phase(state: Detector, score: float, settings: DetectorSettings) -> Phase:
    if score >= settings.confirm_at and (state.score > 0.0 or state.carried > 0.0):
        return Phase.BLOCKED
    if score >= settings.suspect_at or state.phase is Phase.SUSPECTED:
        return Phase.SUSPECTED
    return Phase.SUSPICIOUS


def _gain(state: Detector, reading: Reading, same: float, alone: float) -> float:
    """What an accusing reading adds; `same` is the chance that it shows the same fault again."""
    first = reading.conclusive and not state.conclusive
    gain = 0.0 if first else _weighed(same, alone)
    if reading.persistence is not Persistence.ROUTE:
        gain = max(gain, alone - state.best)
    # The readings before it may have weighed next to nothing, in an outage.
    return max(gain, alone - state.score) if first else gain


def _weighed(same: float, alone: float) -> float:
    """A reading's weight when it is the same fault again with this chance."""
    return -math.log(same + (1.0 - same) * math.exp(-alone))


def _same(state: Detector, reading: Reading, settings: DetectorSettings) -> float:
    """The chance that an accusing reading is the fault seen before in its run."""
    if state.score == 0.0 or reading.persistence is Persistence.NONE:
        return 0.0
    episodes = {
        Persistence.ROUTE: settings.route,
        Persistence.BRIEF: settings.brief,
        Persistence.NARROW: settings.narrow,
        Persistence.SLOW: settings.slow,
    }.get(reading.persistence, settings.lasting)
    return episodes.same(_seconds(state.accused_at, reading.at))


def _alone(state: Detector, reading: Reading, settings: DetectorSettings) -> float:
    """The weight of an accusing reading by itself, on a stream with this history."""
    if reading.conclusive:
        return reading.llr
    known = state.baseline
    prior = math.exp(-reading.llr)
    # During a block the run's own accusations say nothing about wrong ones.
    run, run_strong = (0.0, 0.0) if state.blocked else (state.wrong, state.wrong_strong)
    total = settings.prior_wrong / prior + known.readings + run
    count, cap = known.wrong + run, settings.cap_weak
    if reading.strong:
        count, cap = known.wrong_strong + run_strong, settings.cap_strong
    rate = (settings.prior_wrong + count) / total
    rate = min(rate, cap + known.down / (known.readings + known.down + 1.0))
    return -math.log(min(1.0, max(prior, rate)))


def _learned(
    known: Baseline,
    settings: DetectorSettings,
    *,
    right: float = 0.0,
    wrong: float = 0.0,
    strong: float = 0.0,
    down: float = 0.0,
) -> Baseline:
    readings = known.readings + right + wrong
    keep = min(1.0, settings.memory / (readings + known.down + down))
    return Baseline(
        readings=readings * keep,
        wrong=(known.wrong + wrong) * keep,
        wrong_strong=(known.wrong_strong + strong) * keep,
        down=(known.down + down) * keep,
    )


def _faded(state: Detector, at: datetime, settings: DetectorSettings) -> Detector:
    known = state.known_at
    if known is None or (silent := _seconds(known, at)) <= settings.gap:
        return state
    keep = 0.5 ** ((silent - settings.gap) / settings.gap)
    score, end_score = state.score * keep, state.end_score * keep
    state = _with(state, own=state.own * keep)
    if silent > settings.forget_after and (state.blocked or state.phase is Phase.SUSPECTED):
        return _with(state, phase=Phase.UNKNOWN, score=0.0, end_score=0.0)
    if state.blocked:
        recovering = end_score >= FORGOTTEN
        return _with(
            state,
            phase=Phase.RECOVERING if recovering else Phase.BLOCKED,
            end_score=end_score if recovering else 0.0,
            end_earliest=state.end_earliest if recovering else None,
            end_latest=state.end_latest if recovering else None,
        )
    if state.phase is Phase.SUSPECTED:
        return _with(state, score=max(score, FORGOTTEN))
    forgotten = score < FORGOTTEN
    return _with(
        state, phase=Phase.UNKNOWN if forgotten else state.phase, score=0.0 if forgotten else score
    )


def _seconds(earlier: datetime | None, later: datetime) -> float:
    return (later - earlier).total_seconds() if earlier is not None else math.inf


def _core_down(function: FunctionVerdict) -> bool:
    return function.core and function.state is State.DOWN


def _untold(verdict: PlatformVerdict) -> bool:
    """Whether a fault without an end shows as this verdict does."""
    method = f"{verdict.method}.{verdict.sub_method}"
    doubtful = verdict.evidence is Evidence.WEAK or verdict.method == "quic"
    return verdict.sub_method in _UNTOLD or (doubtful and method in _UNTOLD_WEAK)


def _for_ever(function: FunctionVerdict) -> bool:
    """Whether a function shows weakly what a fault without an end does, or is perhaps slow: beside
    strong evidence on another one it makes no second function."""
    method = f"{function.method}.{function.sub_method}"
    mere = method in _UNTOLD_WEAK or function.method == "throttling"
    return function.evidence is Evidence.WEAK and mere


def _persistence(verdict: PlatformVerdict) -> Persistence:
    if verdict.evidence is Evidence.CONCLUSIVE:
        silent = f"{verdict.method}.{verdict.sub_method}" in _SILENT
        alone = not any(function.others_silent for function in verdict.functions)
        return Persistence.ROUTE if silent and alone else Persistence.NONE
    if verdict.state is State.THROTTLED:
        return Persistence.SLOW
    accused = [one for one in verdict.functions if one.state in ACCUSED]
    if verdict.evidence in STRONG:
        accused = [one for one in accused if not _for_ever(one)]
    if len(accused) == 1:
        return Persistence.NARROW
    if verdict.method == "throttling":
        return Persistence.SLOW
    if verdict.evidence is Evidence.STRONG and verdict.sub_method in _ANSWERED:
        return Persistence.BRIEF
    return Persistence.LASTING


def _with(state: Detector, **changes: object) -> Detector:
    return msgspec.structs.replace(state, **changes)
