"""A share of connections cut off: names under which some get through and others do not.

Some censors act on a share of connections, by chance, by overload or on some of several lines. Each
test then tells little, and what failed beside what worked looks like an accident. So the two rates
are compared: of many connections to one address, made in turn, with the platform's name and with an
innocuous one, how many are cut off? Lost packets, and a server that is overloaded, hit both alike.

The grade follows from Fisher's exact test, one-sided: the chance that so many or more of the cut
connections bear the platform's name, if the name made no difference. A server may also turn away
who calls on one name too often. So controls ask as often at the same address: evidence is
conclusive only where they were answered far more often, too, and where as many of theirs were cut
off nobody is accused. Several functions count in one cycle, so a chance of one in a hundred is no
more than weak.

Source: R. A. Fisher, The logic of inductive inference, J. Roy. Stat. Soc. 1935.
"""

from collections.abc import Iterable
from math import comb

import msgspec

from monitor.analysis.judge.attempt_signs import Finding
from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import ABLE
from monitor.analysis.outcome import Outcome, sub_method_of, summarise
from monitor.analysis.verdict import Evidence
from probes.measure.flow_counts import FIRST_FLOWS, named_flows
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Layer, TlsObservation

RARE, VERY_RARE, COMMON = 0.01, 0.001, 0.05
"""Chances; the tests that made us count are not counted themselves."""
_CUT_OFF = frozenset({"reset", "eof", "alert", "timeout"})


class _Count(msgspec.Struct, frozen=True):
    """Connections of one kind to one address."""

    made: int
    cut: int


def flows_finding(case: Case) -> Finding | None:
    """The share of connections that is cut off by name; None where the name makes no difference,
    where it is all of them, or where too few connections tell."""
    if case.health.state not in ABLE:
        return None
    for address, handshakes in _counted(case).items():
        ours = _count(handshakes)
        evidence = evidence_at(case, address)
        if evidence is Evidence.NONE or ours.cut == ours.made:
            continue
        words = [word for one in handshakes if (word := sub_method_of(one)) in _CUT_OFF]
        word = max(sorted(set(words)), key=words.count)
        first = next(one for one in handshakes if sub_method_of(one) == word)
        return Finding(
            sign=(Layer.TLS, word),
            evidence=evidence,
            summary=summarise(case.attempts[-1]),
            outcome=Outcome(
                family=first.family,
                depth=2,
                layer=Layer.TLS,
                failure=first.failure,
                sub_method=word,
                address=address,
            ),
            share=round(ours.cut / ours.made, 4),
        )
    return None


def evidence_at(case: Case, address: str) -> Evidence:
    """How well the connections counted at an address show that the name is cut off there."""
    return _grade(
        _count(_counted(case).get(address, ())),
        _count(_follow_ups(case, address, Reason.FLOW_INNOCUOUS)),
        _count(
            o
            for control in case.controls
            if control.endpoint == case.endpoint
            for o in _handshakes(control.observations, address, Reason.SAME_ADDRESS)
        ),
    )


def any_name_cut_off(case: Case) -> bool:
    """Whether connections with the innocuous name are cut off at an address as often as others."""
    for address, handshakes in _counted(case).items():
        ours, others = _count(handshakes), _count(_follow_ups(case, address, Reason.FLOW_INNOCUOUS))
        if others.cut and by_chance(ours.made, ours.cut, others.made, others.cut) > COMMON:
            return True
    return False


def _counted(case: Case) -> dict[str, list[TlsObservation]]:
    """The connections with the platform's name, by address."""
    found: dict[str, list[TlsObservation]] = {}
    for follow_up in case.follow_ups:
        if follow_up.endpoint == case.endpoint:
            for one in named_flows(follow_up.observations):
                found.setdefault(one.address, []).append(one)
    return found


def _follow_ups(case: Case, address: str, reason: str) -> list[TlsObservation]:
    return [
        one
        for follow_up in case.follow_ups
        if follow_up.endpoint == case.endpoint
        for one in _handshakes(follow_up.observations, address, reason)
    ]


def _handshakes(seen: Iterable[object], address: str, reason: str) -> list[TlsObservation]:
    return [
        o
        for o in seen
        if isinstance(o, TlsObservation) and o.address == address and o.reason == reason
    ]


def _count(handshakes: Iterable[TlsObservation]) -> _Count:
    cut = [sub_method_of(one) in _CUT_OFF for one in handshakes]
    return _Count(len(cut), sum(cut))


def _grade(ours: _Count, others: _Count, elsewhere: _Count) -> Evidence:
    here = by_chance(ours.made, ours.cut, others.made, others.cut)
    there = by_chance(ours.made, ours.cut, elsewhere.made, elsewhere.cut)
    if here > RARE or (elsewhere.made >= FIRST_FLOWS and there > COMMON):
        return Evidence.NONE
    if here <= VERY_RARE and there <= VERY_RARE:
        return Evidence.CONCLUSIVE
    return Evidence.STRONG if here <= VERY_RARE or there <= RARE else Evidence.WEAK


def by_chance(made: int, cut: int, others_made: int, others_cut: int) -> float:
    """The chance that `cut` or more of the connections cut off are among the `made`, when all are
    as likely; 1 where nothing was compared."""
    total, every = made + others_made, cut + others_cut
    if not made or not others_made:
        return 1.0
    ways = sum(
        comb(made, k) * comb(others_made, every - k) for k in range(cut, made + 1) if k <= every
    )
    return ways / comb(total, every)
