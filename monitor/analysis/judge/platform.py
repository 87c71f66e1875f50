"""Endpoint verdicts → functions → platform.

    function  works while enough of its endpoints do: any, all, or at least n (`Function.need`). A
              canonical first endpoint must work whatever the others do, and they only inform:
              a redirect page that still loads (twitter.com) proves nothing about x.com.
    group     endpoints that serve the same people, such as a data centre, each with a quorum of its
              own. All groups blocked: the function is blocked. Some: it is degraded, by these
              groups. One that is down everywhere beside others that work is nobody's block. Where
              the others are undecided, the function is degraded by what is known to be blocked,
              and the platform is undecided: nobody knows whether it works for anyone.
    platform  as bad as its worst core function, weak signs after certain ones; with every core
              function ok, a block of another function makes it degraded, by the one that is known
              best. While more functions are unknown than work, it is unknown itself: a portal that
              lets one port through proves one function. While a core function is unknown, or down
              everywhere, so is the platform, and the verdict of a blocked function says that it is
              blocked; so it does where weak evidence alone accuses a core function.
    partial   an endpoint that works over one address family, at some addresses or for some
              connections. It counts less than one that works and more than one that is slow.

*Nothing found is lost.* A function that works names its blocked endpoints all the same, as
`FunctionVerdict.accused`.

*QUIC alone blocked* keeps nobody from the platform: browsers and most applications fall back to
TCP. Ok would hide interference that often precedes more, so functions and platform are degraded.
The same holds where only short TLS greetings are cut off, which browsers do not send.
HTTP/3 is tried in some measurements only, so one endpoint with such a verdict suffices. While TCP
is blocked and HTTP/3 works, the platform is blocked by what stops TCP: browsers find HTTP/3 through
an answer over TCP.

*Speed* is measured on objects that need not be endpoints of the function. A throttled object makes
a working function throttled, and never clears one that does not work.

*Pools.* Measured members speak for the rest. Members without a measurement are no data, and no data
is never ok. A pool without a working member is blocked when at least half of the measured ones are
blocked: large services retire addresses all the time, so a few dead ones do not clear a censor.
With half as many dead as blocked members it may be an outage, and nothing is claimed.

*IPv4.* Where members are addresses, and only IPv6 ones work, the pool is partial: most people have
IPv4 alone. The contrary is ok, since applications use IPv4 then.

*When.* `measured_at` and `measured_until` enclose the measurements that decide the state, so that
it held at some moment between them (docs/adr/0018 has the argument). A platform is open when all
its functions are, so all endpoints that worked count, and the transfers that were fast. It is
blocked when one function is: one endpoint decides where every one is needed, but all blocked ones
where any would do, since a block may hit them one after the other.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.judge.grade_by_sign import capped, llr
from monitor.analysis.judge.rules.vantage_explains import FAMILY_MISSING
from monitor.analysis.verdict import (
    ACCUSED,
    EVIDENCE_ORDER,
    Evidence,
    FunctionVerdict,
    PlatformVerdict,
    State,
    Verdict,
)
from probes.catalog.catalog import Endpoint, Function, Need, Platform
from probes.catalog.host import is_literal
from probes.measurement import family_of

_BAD = (State.BLOCKED, State.THROTTLED, State.PARTIAL, State.DOWN)
_WORST_FIRST = (*_BAD, State.INSUFFICIENT, State.DEGRADED, State.OK)
MOST_NAMED = 8
"""Endpoints that a function names at most, since pools are large."""
_WORKS = (State.OK, State.DEGRADED)
"""States of a core function in which the platform does what people come for."""


def _use(verdict: Verdict) -> State:
    """The state of an endpoint for most users, who notice no block that spares browsers."""
    return State.OK if verdict.spares_browsers else verdict.state


class _Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A function, its state and the endpoint verdicts that decided it."""

    function: Function
    core: bool
    state: State
    decider: Verdict | None
    groups: tuple[str, ...] = ()
    accused: tuple[str, ...] = ()
    measured: bool
    """Whether any of its endpoints was measured."""
    deciding: tuple[Verdict, ...]
    """All without which the function may not be in this state, the decider included."""
    rest: tuple[Verdict, ...] | None = None
    """What was measured of its other groups, where it is degraded and none of them is known to
    work."""

    @property
    def counts_as(self) -> State:
        """The state in which it decides the platform's."""
        return self.state if self.rest is None else State.INSUFFICIENT


def roll_up(
    platform: Platform,
    verdicts: Sequence[Verdict],
    *,
    started_at: datetime,
    speeds: Sequence[Verdict] = (),
    unclear: Collection[str] = (),
    quic: Collection[str] = (),
    hellos: Collection[str] = (),
    stalls: Mapping[str, int] | None = None,
    others_silent: bool = False,
) -> PlatformVerdict:
    """The platform verdict from the endpoint verdicts of one vantage and one cycle.

    `verdicts` may be in any order and lack unmeasured pool members. `started_at` (UTC) is when the
    first measurement began. `speeds` are the verdicts on transfers that this cycle measured,
    `unclear` the endpoints that were slow before and of which none tells whether they still are,
    `quic` the names of the functions that answered over QUIC, `hellos` of those that answered
    another form of greeting, or are accused by that, `stalls` the bytes after which transfers of
    a function stall; `others_silent` whether platforms of different owners were silent together in
    this cycle. Raises ValueError without verdicts.
    """
    if not verdicts:
        raise ValueError(f"no verdicts on {platform.name}")
    any_core = any(function.core for function in platform.functions)
    judged = [
        _judge_function(function, verdicts, unclear, core=function.core or not any_core)
        for function in platform.functions
    ]
    state, deciding = _platform_state(judged)
    decider = deciding.decider if deciding is not None else None
    evidence = decider.evidence if decider is not None else Evidence.NONE
    outage = any(function.core and function.state is State.DOWN for function in judged)
    if outage and evidence is not Evidence.CONCLUSIVE:
        # While one core function is down everywhere, the failure of another may be the same outage.
        evidence = capped(evidence, Evidence.WEAK)
    fast = [speed for speed in speeds if speed.state is State.OK]
    decided_by = (
        [
            *(
                verdict
                for function in judged
                for verdict in function.deciding
                if _use(verdict) is State.OK
            ),
            *fast,
        ]
        if state is State.OK
        else list(deciding.deciding if deciding is not None else ())
    )
    first = verdicts[0]
    accused = decider if state in ACCUSED else None
    return PlatformVerdict(
        cycle=first.cycle,
        vantage=first.vantage,
        country=first.country,
        asn=first.asn,
        network=first.network,
        vantage_role=first.vantage_role,
        platform=platform.name,
        state=state,
        method=accused.method if accused else "",
        sub_method=accused.sub_method if accused else "",
        rule_id=decider.rule_id if decider else "look.none",
        evidence=evidence if state in ACCUSED else Evidence.NONE,
        llr=llr(State.BLOCKED if state in (State.DEGRADED, State.PARTIAL) else state, evidence),
        family=_family_alone(accused, verdicts) if accused and state is State.PARTIAL else "",
        share=accused.share if accused and state is State.PARTIAL else None,
        functions=tuple(
            _function_verdict(
                function,
                fast=any(speed.function == function.function.name for speed in fast),
                quic=quic,
                hellos=hellos,
                stalls=stalls or {},
                others_silent=others_silent,
                named=_says_little(state, evidence),
            )
            for function in judged
        ),
        measurement=decider.measurement if decider else "",
        started_at=started_at,
        judged_at=max(verdict.judged_at for verdict in verdicts),
        rules_version=first.rules_version,
        measured_at=min((v.measured_at for v in decided_by if v.measured_at), default=None),
        measured_until=max(
            (v.measured_until for v in decided_by if v.measured_until), default=None
        ),
    )


def _says_little(state: State, evidence: Evidence) -> bool:
    """Whether a platform in this state may hide what is known better of a function: it is undecided
    or down, or weak evidence alone accuses a core function."""
    weak = evidence is Evidence.WEAK and state in ACCUSED and state is not State.DEGRADED
    return weak or state in (State.INSUFFICIENT, State.DOWN)


def _family_alone(decider: Verdict, verdicts: Iterable[Verdict]) -> str:
    """The family over which alone the platform fails. Where a share of connections is cut off, an
    endpoint fails over one family by chance, and others over none or both."""
    alike = all(one.family == decider.family for one in verdicts if one.state is State.PARTIAL)
    return decider.family if alike else ""


def _platform_state(judged: Sequence[_Judged]) -> tuple[State, _Judged | None]:
    worst = _worst([function for function in judged if function.core])
    if worst is not None and worst.rest is not None:
        undecided = _decider(worst.function, worst.rest, State.INSUFFICIENT)
        shown = () if undecided is None else (undecided,)
        return State.INSUFFICIENT, msgspec.structs.replace(worst, decider=undecided, deciding=shown)
    if worst is None or worst.state not in _WORKS:
        return (worst.state if worst is not None else State.INSUFFICIENT), worst
    accused = [function for function in judged if function.state in ACCUSED]
    spoiled = min(accused, key=_best_known_first, default=None)
    if spoiled is not None:
        return State.DEGRADED, spoiled
    open_questions = [
        function
        for function in judged
        if function.measured and function.state is State.INSUFFICIENT
    ]
    if len(open_questions) > sum(function.state in _WORKS for function in judged):
        return State.INSUFFICIENT, _worst(open_questions)
    return State.OK, worst


def _worst(judged: Sequence[_Judged]) -> _Judged | None:
    """The worst function; among equals the one with the best evidence, then the first. Weak signs
    hide none that certainly works for a part alone."""
    return min(judged, key=_worst_first, default=None)


def _worst_first(function: _Judged) -> tuple[int, bool, int, int]:
    rank = _WORST_FIRST.index(function.counts_as)
    weak = function.counts_as in ACCUSED and _is_weak(function)
    counts = max(rank, _WORST_FIRST.index(State.PARTIAL)) if weak else rank
    return counts, weak, rank, -_grade(function)


def _best_known_first(function: _Judged) -> tuple[bool, bool, int, int]:
    """The order of functions that degrade a platform alike. What no event counts hides nothing
    else, and what spares browsers hides no block that does not."""
    spares = function.decider is not None and function.decider.spares_browsers
    rank = _WORST_FIRST.index(function.state)
    return _perhaps_slow(function), spares, -_grade(function), rank


def _perhaps_slow(function: _Judged) -> bool:
    """Whether it is slow by weak evidence, which is never an event."""
    return function.state is State.THROTTLED and _is_weak(function)


def _is_weak(function: _Judged) -> bool:
    return _grade(function) <= EVIDENCE_ORDER[Evidence.WEAK]


def _grade(function: _Judged) -> int:
    return EVIDENCE_ORDER[function.decider.evidence if function.decider else Evidence.NONE]


def _function_verdict(
    judged: _Judged,
    *,
    fast: bool,
    quic: Collection[str],
    hellos: Collection[str],
    stalls: Mapping[str, int],
    others_silent: bool,
    named: bool,
) -> FunctionVerdict:
    decider = judged.decider if judged.state in ACCUSED else None
    return FunctionVerdict(
        function=judged.function.name,
        core=judged.function.core,
        state=judged.state,
        method=decider.method if decider is not None else "",
        sub_method=decider.sub_method if decider is not None else "",
        evidence=decider.evidence if decider is not None else Evidence.NONE,
        tested=(
            *(("quic",) if judged.function.name in quic else ()),
            *(("hello",) if judged.function.name in hellos else ()),
            *(("throttling",) if fast else ()),
        ),
        groups=judged.groups,
        accused=judged.accused,
        stalled_after=stalls.get(judged.function.name, 0) if decider is not None else 0,
        others_silent=others_silent and decider is not None,
        measurement=decider.measurement if decider is not None and named else "",
    )


def _judge_function(
    function: Function, verdicts: Sequence[Verdict], slow_before: Collection[str], *, core: bool
) -> _Judged:
    by_endpoint = {v.endpoint: v for v in verdicts if v.function == function.name}
    pools = [_judge_pool(function, pool, by_endpoint) for pool in function.pools]
    state = _state_of_groups([state for state, _ in pools])
    counted = [pool for pool in pools if state is not State.DEGRADED or pool[0] in ACCUSED]
    measured = [verdict for _, several in counted for verdict in several]
    named = {endpoint.id for endpoint in function.endpoints}
    slow = [
        verdict
        for endpoint, verdict in by_endpoint.items()
        if endpoint not in named and verdict.state is State.THROTTLED
    ]
    unclear = [
        verdict
        for endpoint, verdict in by_endpoint.items()
        if endpoint in slow_before and verdict.state is State.INSUFFICIENT
    ]
    without_quic = [verdict for verdict in measured if verdict.spares_browsers]
    alone = function.canonical or function.need is not Need.ANY
    parted = state is State.DEGRADED
    decisive = min((one for one, _ in counted), key=_WORST_FIRST.index) if parted else state
    if _slower_than_known(state, measured, slow) or (state is State.OK and without_quic):
        alone = True
        state, measured = (State.THROTTLED, slow) if slow else (State.DEGRADED, without_quic)
        decisive = state
    elif state is State.OK and unclear:
        decisive = state = State.INSUFFICIENT
        measured = unclear
    decider = _decider(function, measured, decisive)
    of_rest = (verdict for one, several in pools if one not in ACCUSED for verdict in several)
    return _Judged(
        rest=tuple(of_rest) if parted and not any(one is State.OK for one, _ in pools) else None,
        function=function,
        core=core,
        state=state,
        decider=decider,
        measured=bool(by_endpoint),
        groups=tuple(
            group.name
            for group, (one, _) in zip(function.groups, pools, strict=bool(function.groups))
            if parted and one in ACCUSED
        ),
        accused=tuple(
            endpoint.id
            for endpoint in function.endpoints
            if endpoint.id in by_endpoint and by_endpoint[endpoint.id].state in ACCUSED
        )[:MOST_NAMED],
        deciding=tuple(
            verdict
            for verdict in measured
            if verdict is decider
            or (_use(verdict) is decisive and (state is State.OK or not alone))
        ),
    )


def _slower_than_known(state: State, measured: Sequence[Verdict], slow: Sequence[Verdict]) -> bool:
    """Whether its speed decides a function: it works otherwise, or weaker evidence says that a part
    of it fails."""

    def best(verdicts: Sequence[Verdict]) -> int:
        return max((EVIDENCE_ORDER[one.evidence] for one in verdicts), default=0)

    return bool(slow) and (
        state is State.OK or (state is State.PARTIAL and best(measured) < best(slow))
    )


def _judge_pool(
    function: Function, pool: Sequence[Endpoint], by_endpoint: Mapping[str, Verdict]
) -> tuple[State, list[Verdict]]:
    """The state of one group, or of a function without groups, and what was measured of it."""
    measured = [by_endpoint[one.id] for one in pool if one.id in by_endpoint]
    if not measured:
        return State.INSUFFICIENT, measured
    if function.canonical:
        canonical = by_endpoint.get(pool[0].id)
        state = State.INSUFFICIENT if canonical is None else _use(canonical)
        if state is not State.OK:
            return state, measured
    # IPv6 members say nothing without IPv6; they must not outvote the others.
    visible = [v for v in measured if v.rule_id != FAMILY_MISSING] or measured
    states = [_use(verdict) for verdict in (visible if function.need is Need.ANY else measured)]
    if function.need is not Need.ANY:
        states += [State.INSUFFICIENT] * (len(pool) - len(measured))
    if isinstance(function.need, Need):
        state = _quorum(states, 1 if function.need is Need.ANY else len(states))
        blocked = _blocked_over_ipv4(pool, by_endpoint) if state is State.OK else []
        return (State.PARTIAL, blocked) if blocked else (state, measured)
    return _quorum(states, function.need), measured


def _blocked_over_ipv4(
    pool: Sequence[Endpoint], by_endpoint: Mapping[str, Verdict]
) -> list[Verdict]:
    """The verdicts on the IPv4 addresses of a pool whose IPv6 ones work, as far as they accuse, for
    one family; none unless these addresses are blocked."""
    addresses = [one for one in pool if is_literal(one.host)]
    if len(addresses) < len(pool):
        return []
    ipv4 = [
        by_endpoint[one.id]
        for one in addresses
        if one.id in by_endpoint and family_of(one.host) == "ipv4"
    ]
    if not ipv4 or _quorum([_use(one) for one in ipv4], 1) is not State.BLOCKED:
        return []
    return [
        msgspec.structs.replace(one, state=State.PARTIAL, family="ipv4")
        for one in ipv4
        if one.state is State.BLOCKED
    ]


def _state_of_groups(states: Sequence[State]) -> State:
    """A function's state from those of its groups; without groups there is one."""
    different = set(states)
    if len(different) == 1:
        return states[0]
    if not different - {State.OK, State.DOWN}:
        return State.OK
    if different & set(ACCUSED):
        if State.OK in different:
            return State.DEGRADED
        best = (State.PARTIAL, State.THROTTLED)
        state = next((state for state in best if state in different), _quorum(states, 1))
        undecided = state is State.INSUFFICIENT and State.DOWN not in different
        return State.DEGRADED if undecided else state
    return State.INSUFFICIENT


def _quorum(states: Sequence[State], needed: int) -> State:
    """The state of endpoints of which so many must work."""
    count: Callable[[State], int] = list(states).count
    works, slow, partly = count(State.OK), count(State.THROTTLED), count(State.PARTIAL)
    blocked, down = count(State.BLOCKED), count(State.DOWN)
    failing = len(states) - works
    if works >= needed:
        return State.OK
    # The best that is left to people.
    if works + partly >= needed:
        return State.PARTIAL
    if works + partly + slow >= needed:
        return State.THROTTLED
    if len(states) - blocked < needed or (2 * blocked >= failing and 2 * down < blocked):
        return State.BLOCKED
    if len(states) - blocked - slow < needed:
        return State.THROTTLED
    if len(states) - blocked - slow - partly < needed:
        return State.PARTIAL
    if down and not blocked and (len(states) - down < needed or 2 * down >= failing):
        return State.DOWN
    return State.INSUFFICIENT


def _decider(function: Function, measured: Sequence[Verdict], state: State) -> Verdict | None:
    """The endpoint verdict that decides the function: canonical, then best evidence, then first.

    None when the state comes from members without a measurement.
    """
    if state is State.DEGRADED:
        same = list(measured)
    else:
        same = [verdict for verdict in measured if _use(verdict) is state]
    doubtful = [v for v in measured if v.state not in (State.OK, State.BLOCKED)]
    canonical = function.endpoints[0].id if function.canonical else ""
    return min(
        same or doubtful,
        key=lambda v: (v.endpoint != canonical, -EVIDENCE_ORDER[v.evidence]),
        default=None,
    )
