"""Endpoint verdicts → functions → platform.

    function  need any: works while one endpoint works; need all: only while every one does.
              A canonical first endpoint must work whatever the others do: a redirect page
              that still loads (twitter.com) proves nothing about its target (x.com).
    platform  as bad as its worst core function; with every core function ok, a block of
              another function makes it degraded.

*QUIC alone blocked* keeps nobody from the platform: browsers and most applications fall back to
TCP. Ok would hide interference that often precedes more, so functions and platform are degraded.
HTTP/3 is tried in some measurements only, so one endpoint with such a verdict suffices. While TCP
is blocked and HTTP/3 works, the platform is blocked by what stops TCP: browsers find HTTP/3 through
an answer over TCP.

*Speed* is measured on objects that need not be endpoints of the function. A throttled object makes
a working function throttled, and never clears one that does not work.

*Pools.* Measured members speak for the rest. Members without a measurement are no data, and no data
is never ok. A pool without a working member is blocked when at least half of the measured ones are
blocked: large services retire addresses all the time, so a few dead ones do not clear a censor.
With half as many dead as blocked members it may be an outage, and nothing is claimed.

*When.* `measured_at` and `measured_until` enclose the measurements that decide the state, so that
it held at some moment between them (docs/adr/0018 has the argument). A platform is open when all
its functions are, so all endpoints that worked count, and the transfers that were fast. It is
blocked when one function is: one endpoint decides where every one is needed, but all blocked ones
where any would do, since a block may hit them one after the other.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.judge.evidence_grades import capped, llr
from monitor.analysis.judge.facts import FAMILY_MISSING
from monitor.analysis.verdict import (
    EVIDENCE_ORDER,
    Evidence,
    PlatformVerdict,
    RoleVerdict,
    State,
    Verdict,
)
from probes.catalog.catalog import Need, Platform, Role

_BAD = (State.BLOCKED, State.THROTTLED, State.DOWN)
_WORST_FIRST = (*_BAD, State.INSUFFICIENT, State.DEGRADED, State.OK)
_ACCUSED = (State.BLOCKED, State.THROTTLED, State.DEGRADED)
_WORKS = (State.OK, State.DEGRADED)
"""States of a core function in which the platform does what people come for."""


def _use(verdict: Verdict) -> State:
    """The state of an endpoint for users, who do not notice a QUIC block."""
    return State.OK if verdict.only_quic else verdict.state


class _Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A function, its state and the endpoint verdicts that decided it."""

    role: Role
    core: bool
    state: State
    decider: Verdict | None
    deciding: tuple[Verdict, ...]
    """All without which the function may not be in this state, the decider included."""


def roll_up(
    platform: Platform,
    verdicts: Sequence[Verdict],
    *,
    started_at: datetime,
    speeds: Sequence[Verdict] = (),
    quic: Collection[str] = (),
) -> PlatformVerdict:
    """The platform verdict from the endpoint verdicts of one vantage and one cycle.

    `verdicts` may be in any order and lack unmeasured pool members. `started_at` (UTC) is when the
    first measurement began. `speeds` are the verdicts on transfers that this cycle measured, `quic`
    the names of the functions that answered over QUIC. Raises ValueError without verdicts.
    """
    if not verdicts:
        raise ValueError(f"no verdicts on {platform.name}")
    any_core = any(role.core for role in platform.roles)
    judged = [
        _judge_role(role, verdicts, core=role.core or not any_core) for role in platform.roles
    ]
    state, deciding = _platform_state(judged)
    decider = deciding.decider if deciding is not None else None
    evidence = decider.evidence if decider is not None else Evidence.NONE
    if any(role.core and role.state is State.DOWN for role in judged):
        # While one core function is down everywhere, the failure of another may be the same outage.
        evidence = capped(evidence, Evidence.WEAK)
    fast = [speed for speed in speeds if speed.state is State.OK]
    decided_by = (
        [
            *(verdict for role in judged for verdict in role.deciding if _use(verdict) is State.OK),
            *fast,
        ]
        if state is State.OK
        else list(deciding.deciding if deciding is not None else ())
    )
    first = verdicts[0]
    accused = decider if state in _ACCUSED else None
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
        evidence=evidence if state in _ACCUSED else Evidence.NONE,
        llr=llr(State.BLOCKED if state is State.DEGRADED else state, evidence),
        roles=tuple(
            _role_verdict(role, fast=any(speed.role == role.role.name for speed in fast), quic=quic)
            for role in judged
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


def _platform_state(judged: Sequence[_Judged]) -> tuple[State, _Judged | None]:
    worst = _worst([role for role in judged if role.core])
    if worst is None or worst.state not in _WORKS:
        return (worst.state if worst is not None else State.INSUFFICIENT), worst
    spoiled = _worst([role for role in judged if role.state in _ACCUSED])
    return (State.DEGRADED, spoiled) if spoiled is not None else (State.OK, worst)


def _worst(judged: Sequence[_Judged]) -> _Judged | None:
    """The worst function; among equals the one with the best evidence, then the first."""
    return min(
        judged,
        key=lambda role: (
            _WORST_FIRST.index(role.state),
            -EVIDENCE_ORDER[role.decider.evidence] if role.decider is not None else 0,
        ),
        default=None,
    )


def _role_verdict(judged: _Judged, *, fast: bool, quic: Collection[str]) -> RoleVerdict:
    decider = judged.decider if judged.state in _ACCUSED else None
    return RoleVerdict(
        role=judged.role.name,
        core=judged.role.core,
        state=judged.state,
        method=decider.method if decider is not None else "",
        sub_method=decider.sub_method if decider is not None else "",
        evidence=decider.evidence if decider is not None else Evidence.NONE,
        tested=(
            *(("quic",) if judged.role.name in quic else ()),
            *(("throttling",) if fast else ()),
        ),
    )


def _judge_role(role: Role, verdicts: Sequence[Verdict], *, core: bool) -> _Judged:
    by_endpoint = {v.endpoint: v for v in verdicts if v.role == role.name}
    measured = [by_endpoint[e.id] for e in role.endpoints if e.id in by_endpoint]
    state = _role_state(role, by_endpoint, measured)
    named = {endpoint.id for endpoint in role.endpoints}
    slow = [
        verdict
        for endpoint, verdict in by_endpoint.items()
        if endpoint not in named and verdict.state is State.THROTTLED
    ]
    without_quic = [verdict for verdict in measured if verdict.only_quic]
    alone = role.canonical or role.need is not Need.ANY
    if state is State.OK and (slow or without_quic):
        alone = True
        state, measured = (State.THROTTLED, slow) if slow else (State.DEGRADED, without_quic)
    decider = _decider(role, measured, state)
    return _Judged(
        role=role,
        core=core,
        state=state,
        decider=decider,
        deciding=tuple(
            verdict
            for verdict in measured
            if verdict is decider or (_use(verdict) is state and (state is State.OK or not alone))
        ),
    )


def _role_state(
    role: Role, by_endpoint: Mapping[str, Verdict], measured: Sequence[Verdict]
) -> State:
    if not measured:
        return State.INSUFFICIENT
    if role.canonical:
        canonical = by_endpoint.get(role.endpoints[0].id)
        if canonical is None:
            return State.INSUFFICIENT
        if _use(canonical) is not State.OK:
            return _use(canonical)
    states = [_use(verdict) for verdict in measured]
    if role.need is Need.ANY:
        # IPv6 members say nothing without IPv6; they must not outvote the others.
        visible = [_use(v) for v in measured if v.rule_id != FAMILY_MISSING]
        return _any_works(visible or states)
    complete = bool(role.sample) or len(measured) == len(role.endpoints)
    return min(states if complete else [*states, State.INSUFFICIENT], key=_WORST_FIRST.index)


def _any_works(states: Sequence[State]) -> State:
    count: Callable[[State], int] = list(states).count
    blocked, down = count(State.BLOCKED), count(State.DOWN)
    if count(State.OK):
        return State.OK
    if count(State.THROTTLED):
        return State.THROTTLED  # the best that is left to people
    if 2 * blocked >= len(states) and 2 * down < blocked:
        return State.BLOCKED
    if down and not blocked and 2 * down >= len(states):
        return State.DOWN
    return State.INSUFFICIENT


def _decider(role: Role, measured: Sequence[Verdict], state: State) -> Verdict | None:
    """The endpoint verdict that decides the function: canonical, then best evidence, then first.

    None when the state comes from members without a measurement.
    """
    if state is State.DEGRADED:
        same = list(measured)
    else:
        same = [verdict for verdict in measured if _use(verdict) is state]
    doubtful = [v for v in measured if v.state not in (State.OK, State.BLOCKED)]
    canonical = role.endpoints[0].id if role.canonical else ""
    return min(
        same or doubtful,
        key=lambda v: (v.endpoint != canonical, -EVIDENCE_ORDER[v.evidence]),
        default=None,
    )
