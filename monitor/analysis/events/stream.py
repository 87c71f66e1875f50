"""One platform at one vantage: the detector's state and the verdicts behind it.

The detector knows numbers. What people ask (how it is blocked, which functions, how well it is
known) comes from the accusing verdicts of the present run.

**Functions.** A platform is ok while a function that is not core is undecided, and not every cycle
tests speed, QUIC or another form of greeting. So the onset counts from the last clearing verdict in
which what is accused was tested, not merely from the last one. And while all that a run accuses is
undecided, a platform that is ok clears nothing; nor does it while no such test was made since.
Speed is not measured once the day's bytes are spent, and after a restart nobody knows that it must
be.

While a core function is undecided, so is the platform. A block of another function is known all the
same, and accuses by that function's own verdict. What hides the core may explain weak evidence, so
that does not count. The same holds where a core function is down everywhere, for conclusive
evidence alone: the outage may have reached the other one. Where weak evidence alone accuses a core
function, as one silent address of several, what is known better of another one accuses instead.

**Its own interval.** An agent may measure less often than the collector's interval. It is silent,
and what it found fades, by its own interval, which is learned from its verdicts.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache

import msgspec

from monitor.analysis.events.event import Scope, greatest, widest
from monitor.analysis.events.pace import Pace
from monitor.analysis.events.sequential_test import (
    Detector,
    DetectorSettings,
    Kind,
    Phase,
    reading_of,
    stale,
    update,
)
from monitor.analysis.events.settings import SILENT_INTERVALS
from monitor.analysis.judge.rules.part_fails import SOME_ADDRESSES
from monitor.analysis.judge.rules.table import UNSETTLED
from monitor.analysis.trust import Network, Voice, network_key
from monitor.analysis.verdict import (
    ACCUSED,
    EVIDENCE_ORDER,
    Evidence,
    FunctionVerdict,
    PlatformVerdict,
    State,
)

_SCOPES = {State.DEGRADED: Scope.PARTIAL, State.PARTIAL: Scope.SOME}
_OWN_TEST = ("quic", "throttling")
"""Methods whose absence not every cycle tests: see `FunctionVerdict.tested`."""
_FORMS = ("short_hello", "large_hello")
"""Sub-methods of which that is so where the usual form of greeting is answered."""
_FEWEST_PAUSES = 2
"""One long pause is no interval."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The accusing verdicts of one run, added up."""

    at: datetime | None = None
    """UTC; when the cycle of the first one began to measure the platform: tells runs apart."""
    onset_earliest: datetime | None
    """UTC; last moment before it that is known to be open; None without one."""
    onset_latest: datetime
    """UTC; first moment known to be blocked."""
    opened: datetime | None = None
    """UTC; first moment known to be open after the last run before it in which a block was
    suspected, or before all; None without one."""
    suspected: bool = False
    """The detector suspected a block at some time."""
    measurement: str
    """Id of the measurement that decided the first one."""
    last: datetime
    """UTC; last moment known to be blocked: when the last accusing measurement began."""
    unsure: float = 0.0
    """Seconds between accusing measurements in which it was found open, or nothing was known."""
    methods: tuple[str, ...]
    """`method.sub_method` in the order first seen."""
    functions: tuple[str, ...]
    """Functions blocked or throttled at any time, sorted."""
    accused: tuple[str, ...] = ()
    """What the last one accuses, by the names of `Stream.open_at`; empty where an older version
    stored it."""
    latest: tuple[str, ...] = ()
    """The functions of the last one, as in `functions`; empty where an older version stored it."""
    evidence: Evidence
    scope: Scope
    """Full once a core function was affected, some while that was so for a part of people only."""
    family: str = ""
    """The address family, where only one was affected."""
    share: float | None = None
    """The greatest share (0–1) of connections or addresses that failed, where it was counted."""
    lead: bool = False
    """All its verdicts are of silence at some addresses, which an ordinary fault explains too."""
    settled: bool = True
    """A verdict of it did not depend on controls that disagree, or on one agent's alone."""


# As many are kept as a fleet has vantages and platforms, and none is part of a circle.
class Stream(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    vantage: str
    asn: int
    network: str
    """Its name; empty where none is configured."""
    detector: Detector = Detector()
    run: Run | None = None
    """The present or last run of accusing verdicts; None before the first."""
    known: bool = False
    """A verdict other than insufficient was received."""
    open_at: Mapping[str, datetime] = {}
    """Function, and function with a test of `_OWN_TEST` → last moment it was known to be open."""
    pace: Pace = Pace()
    """Of its verdicts, with those that decide nothing."""

    @property
    def key(self) -> tuple[int, str]:
        # Without number and name each vantage stands for a network of its own.
        return network_key(self.asn, self.network or self.vantage)

    @property
    def voice(self) -> Voice:
        return Voice(vantage=self.vantage, network=self.known_network)

    @property
    def known_network(self) -> Network:
        """Its network, as far as it is known: those without number and name may share one."""
        return network_key(self.asn, self.network)

    @property
    def suspected(self) -> bool:
        """Whether the detector suspects or confirms a block, as of the last reading."""
        return self.detector.phase in (Phase.SUSPECTED, Phase.BLOCKED)

    @property
    def certain(self) -> bool:
        """Whether this vantage alone is certain of the block."""
        return self.detector.phase is Phase.BLOCKED

    @property
    def recovering(self) -> bool:
        """Whether it was blocked and is open again, too few times to be sure."""
        return self.detector.phase is Phase.RECOVERING

    @property
    def found_open(self) -> bool:
        """Whether it was found open since it was last found blocked."""
        return self.detector.open_since is not None

    @property
    def open(self) -> bool:
        """Whether it works, as far as is known."""
        return self.detector.phase in (Phase.CLEAR, Phase.SUSPICIOUS)

    @property
    def opened(self) -> datetime | None:
        """UTC; since when it is known to be open; signs that came to nothing do not count."""
        if self.run is not None and not self.run.suspected and self.run.opened is not None:
            return self.run.opened
        return self.detector.open_since

    def has_open(self, name: str, since: datetime | None = None) -> bool:
        """Whether something, by the names of `open_at`, was found open; at that moment (UTC) or
        later, if one is given."""
        at = self.open_at.get(name)
        return at is not None and (since is None or at >= since)

    def silent_while_open(self, at: datetime | None, *, over: bool) -> "Stream":
        """The stream of a silent vantage when others have found its network open, at that moment
        (UTC), or its event is closed: what it finds later begins then. Where the block is `over`,
        what it found before is no sign of the next one."""
        known = self.detector
        if not over and (at is None or known.accused_at is None or known.accused_at >= at):
            return self
        since = max((one for one in (known.cleared_since, at) if one is not None), default=None)
        open_at = self.open_at if at is None else {}
        if over:
            detector = Detector(
                at=known.at, cycle=known.cycle, cleared_since=since, baseline=known.baseline
            )
            return msgspec.structs.replace(self, detector=detector, run=None, open_at=open_at)
        detector = msgspec.structs.replace(known, open_since=at, cleared_since=since)
        return msgspec.structs.replace(self, detector=detector, open_at=open_at)

    def observed(self, now: datetime, settings: DetectorSettings) -> bool:
        """Whether its last result is recent enough to count at `now` (UTC)."""
        return not stale(self.detector, now, self.settings(settings))

    def settings(self, settings: DetectorSettings) -> DetectorSettings:
        """The settings for its own interval. People measure when they like, so the pauses of
        imported data are no interval."""
        interval = self.pace.usual if len(self.pace.pauses) >= _FEWEST_PAUSES else 0
        gap = SILENT_INTERVALS * interval
        return settings if settings.decided or gap <= settings.gap else _slower(settings, gap)


@lru_cache(maxsize=1024)
def _slower(settings: DetectorSettings, gap: int) -> DetectorSettings:
    return msgspec.structs.replace(settings, gap=min(float(gap), settings.forget_after))


def stream_of(verdict: PlatformVerdict) -> Stream:
    """An empty stream for the vantage and platform of a verdict."""
    return Stream(vantage=verdict.vantage, asn=verdict.asn, network=verdict.network)


def observe(stream: Stream, verdict: PlatformVerdict, settings: DetectorSettings) -> Stream:
    """The stream after one more verdict. Verdicts older than the last change nothing."""
    verdict = _of_functions(verdict)
    reading = reading_of(verdict)
    if reading.kind is Kind.CLEARS and _nothing_known(stream, verdict):
        reading = msgspec.structs.replace(reading, kind=Kind.NEITHER, llr=0.0)
    pace = stream.pace
    if pace.at is None or verdict.started_at > pace.at:
        pace = pace.reported(verdict.started_at, settings.base_interval)
    settings = stream.settings(settings)
    detector = update(stream.detector, reading, settings)
    accuses = detector.onset_latest is not None and reading.kind is Kind.ACCUSES
    clears = verdict.state is State.OK and detector is not stream.detector
    run = stream.run
    if accuses:
        run = _run(stream, detector, verdict)
        if stream.run is not None and run.at == stream.run.at:
            unsure = _unsure(stream, run.last, settings)
            run = msgspec.structs.replace(run, unsure=stream.run.unsure + unsure)
    return msgspec.structs.replace(
        stream,
        detector=detector,
        run=run,
        known=stream.known or verdict.state is not State.INSUFFICIENT,
        open_at={**stream.open_at, **_open(verdict)} if clears else stream.open_at,
        pace=pace,
    )


def _of_functions(verdict: PlatformVerdict) -> PlatformVerdict:
    """The verdict itself; for a platform that is undecided or down, or accused by weak evidence
    alone, and of which a function is blocked or slow for certain, what that function's verdict
    says. Its test was made at some moment of the cycle. Weak signs beside it do not count."""
    accused = verdict.fails_for_certain
    if not accused:
        return verdict
    best = accused[0]
    functions = verdict.functions
    if verdict.state in ACCUSED:
        functions = tuple(one for one in functions if one in accused or one.state not in ACCUSED)
    return msgspec.structs.replace(
        verdict,
        state=State.DEGRADED,
        method=best.method,
        sub_method=best.sub_method,
        rule_id="",
        evidence=best.evidence,
        family="",
        share=None,
        functions=functions,
        measurement=best.measurement,
        measured_at=None,
        measured_until=None,
    )


def _nothing_known(stream: Stream, verdict: PlatformVerdict) -> bool:
    """Whether nothing is known of all that the present run of a stream accuses: it is undecided, or
    the test that would show it was not made since."""
    run = stream.run
    if run is None or stream.detector.phase in (Phase.UNKNOWN, Phase.CLEAR):
        return False
    named = run.accused or tuple(name.partition(":")[0] for name in run.functions)
    accused = {name.partition(" ")[0]: name for name in named}
    opened = {**stream.open_at, **_open(verdict)}

    def unknown(one: FunctionVerdict) -> bool:
        name = accused[one.function]
        untested = name != one.function and opened.get(name, run.last) <= run.last
        return untested or one.state in (State.INSUFFICIENT, State.DOWN)

    seen = [one for one in verdict.functions if one.function in accused]
    return bool(seen) and all(map(unknown, seen))


def _unsure(stream: Stream, now: datetime, settings: DetectorSettings) -> float:
    """Seconds since the last accusing measurement if it was found open since, or not for long."""
    last, cleared_at = stream.run.last if stream.run else now, stream.detector.cleared_at
    pause = max(0.0, (now - last).total_seconds())
    opened = cleared_at is not None and cleared_at > last
    return pause if opened or pause > settings.gap else 0.0


def _open(verdict: PlatformVerdict) -> dict[str, datetime]:
    """What an ok verdict shows to be open, and since when at the latest."""
    functions = [function for function in verdict.functions if function.state is State.OK]
    names = [
        *(r.function for r in functions),
        *(f"{r.function} {what}" for r in functions for what in r.tested),
    ]
    return dict.fromkeys(names, verdict.since)


def _counted(verdict: PlatformVerdict) -> list[FunctionVerdict]:
    """Its functions that are accused, without those that are perhaps slow: weak evidence of that
    is never an event, and is in none."""
    return [
        one
        for one in verdict.functions
        if one.state in ACCUSED
        and not (one.method == "throttling" and one.evidence is Evidence.WEAK)
    ]


def _accused(verdict: PlatformVerdict) -> Iterator[str]:
    """What an accusing verdict accuses, by the names of `_open`."""
    functions = _counted(verdict)
    core = [function for function in functions if function.core]
    for function in functions if verdict.state is State.DEGRADED else core or functions:
        if function.sub_method in _FORMS and "hello" in function.tested:
            yield f"{function.function} hello"
        elif function.method in _OWN_TEST:
            yield f"{function.function} {function.method}"
        else:
            yield function.function


def _last_open(stream: Stream, detector: Detector, verdict: PlatformVerdict) -> datetime | None:
    """The last moment at which all that is accused was known to be open. What was never seen open
    does not count beside what was."""
    if not stream.open_at:
        return detector.onset_earliest
    known = [stream.open_at[name] for name in _accused(verdict) if name in stream.open_at]
    return min(known, default=None)


def _stalls(verdict: PlatformVerdict) -> Iterator[str]:
    """After about how many bytes transfers stall, as `throttling.stall_16k`: in powers of two, for
    one censor's count differs a little from one connection to the next."""
    for function in _counted(verdict):
        if function.stalled_after:
            kilobytes = 2 ** max(0, round(math.log2(function.stalled_after / 1024)))
            yield f"throttling.stall_{kilobytes}k"


def _run(stream: Stream, detector: Detector, verdict: PlatformVerdict) -> Run:
    run = stream.run
    suspected = detector.phase in (Phase.SUSPECTED, Phase.BLOCKED)
    method = f"{verdict.method}.{verdict.sub_method}" if verdict.method else ""
    methods = (method, *_stalls(verdict)) if method else ()
    functions = tuple(sorted(name for one in _counted(verdict) for name in one.names))
    now = Run(
        at=detector.run_at,
        onset_earliest=_last_open(stream, detector, verdict),
        onset_latest=detector.onset_latest or verdict.until,
        opened=stream.opened,
        suspected=suspected,
        measurement=verdict.measurement,
        last=verdict.since,
        methods=methods,
        functions=functions,
        accused=tuple(_accused(verdict)),
        latest=functions,
        evidence=verdict.evidence,
        scope=_SCOPES.get(verdict.state, Scope.FULL),
        family=verdict.family,
        share=verdict.share,
        lead=verdict.rule_id == SOME_ADDRESSES and verdict.evidence is Evidence.WEAK,
        settled=verdict.rule_id not in UNSETTLED,
    )
    if run is None or run.at != now.at:
        return now
    return msgspec.structs.replace(
        run,
        onset_latest=now.onset_latest,
        last=now.last,
        suspected=run.suspected or suspected,
        methods=tuple(dict.fromkeys((*run.methods, *now.methods))),
        functions=tuple(sorted({*run.functions, *now.functions})),
        accused=now.accused,
        latest=functions,
        evidence=max(run.evidence, now.evidence, key=EVIDENCE_ORDER.__getitem__),
        scope=widest((run.scope, now.scope)),
        family=run.family if run.family == now.family else "",
        share=greatest(run.share, now.share),
        lead=run.lead and now.lead,
        settled=run.settled or now.settled,
    )
