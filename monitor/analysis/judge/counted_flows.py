"""Connections that were made to one address to count how many are cut off, with two names."""

from collections.abc import Iterable, Mapping
from math import comb

import msgspec

from monitor.analysis.measurement_summary import sub_method_of
from monitor.analysis.verdict import Evidence
from probes.measure.flow_counts import FIRST_FLOWS, named_flows
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Measurement, TlsObservation

RARE = 1.5e-5
"""The chance that the name makes no difference, up to which it does make one."""
VERY_RARE, COMMON = 0.001, 0.05
"""Chances that the place makes no difference, compared with a control: up to which evidence is
conclusive, and above which nobody is accused. The tests that made us count are not counted
themselves."""
FEW_LOST = 0.25
"""The greatest share of connections with the innocuous name that may be cut off where losses hide a
censor. What comes in one packet, such as a refusal of a foreign name, gets through where a chain of
certificates does not; where more of them are lost, that may be the whole difference."""
CUT_OFF = frozenset({"reset", "eof", "alert", "timeout"})


class Count(msgspec.Struct, frozen=True):
    """Connections of one kind to one address."""

    made: int
    cut: int


def counted(endpoint: str, follow_ups: Iterable[Measurement]) -> Mapping[str, list[TlsObservation]]:
    """The connections with the platform's name, by address."""
    found: dict[str, list[TlsObservation]] = {}
    for follow_up in follow_ups:
        if follow_up.endpoint == endpoint:
            for one in named_flows(follow_up.observations):
                found.setdefault(one.address, []).append(one)
    return found


def innocuous(
    endpoint: str, follow_ups: Iterable[Measurement], address: str
) -> list[TlsObservation]:
    """Those with the innocuous name to one address."""
    return [
        one
        for follow_up in follow_ups
        if follow_up.endpoint == endpoint
        for one in handshakes(follow_up.observations, address, Reason.FLOW_INNOCUOUS)
    ]


def handshakes(seen: Iterable[object], address: str, reason: str) -> list[TlsObservation]:
    """The handshakes at one address that were made for this reason."""
    return [
        o
        for o in seen
        if isinstance(o, TlsObservation) and o.address == address and o.reason == reason
    ]


def count(made: Iterable[TlsObservation]) -> Count:
    """How many they are, and how many of them were cut off."""
    cut = [sub_method_of(one) in CUT_OFF for one in made]
    return Count(len(cut), sum(cut))


def share_of_all(endpoint: str, follow_ups: Iterable[Measurement]) -> float:
    """The greatest share (0 to 1) of all connections to one of the addresses that is cut off, where
    some of those with the innocuous name are, and it is not rare that as few are by chance; 0 where
    there is none. Where all of them are cut off, chance explains nothing."""
    made = tuple(follow_ups)
    found = [0.0]
    for address, named in counted(endpoint, made).items():
        ours, others = count(named), count(innocuous(endpoint, made, address))
        share = (ours.cut + others.cut) / (ours.made + others.made)
        if others.cut and share < 1 and by_chance(ours, others) > RARE:
            found.append(share)
    return max(found)


def by_chance(ours: Count, others: Count) -> float:
    """The chance that as many or more of the connections cut off are ours, when all are as likely
    (Fisher's exact test, one-sided); 1 where nothing was compared."""
    total, every = ours.made + others.made, ours.cut + others.cut
    if not ours.made or not others.made:
        return 1.0
    ways = sum(
        comb(ours.made, k) * comb(others.made, every - k)
        for k in range(ours.cut, ours.made + 1)
        if k <= every
    )
    return ways / comb(total, every)


def evidence_at(
    endpoint: str,
    follow_ups: Iterable[Measurement],
    controls: Iterable[Measurement],
    address: str,
) -> Evidence:
    """How well the connections counted at an address show that the name is cut off there."""
    made = tuple(follow_ups)
    return _grade(
        count(counted(endpoint, made).get(address, ())),
        count(innocuous(endpoint, made, address)),
        count(
            o
            for control in controls
            if control.endpoint == endpoint
            for o in handshakes(control.observations, address, Reason.SAME_ADDRESS)
        ),
    )


def cut_by_name(endpoint: str, follow_ups: Iterable[Measurement]) -> bool:
    """Whether every connection with the name was cut off at one of the addresses, and so few with
    the innocuous name that packets lost on the way do not explain it."""
    made = tuple(follow_ups)
    for address, named in counted(endpoint, made).items():
        ours, others = count(named), count(innocuous(endpoint, made, address))
        few = others.cut <= FEW_LOST * others.made
        if ours.cut == ours.made and few and by_chance(ours, others) <= RARE:
            return True
    return False


def _grade(ours: Count, others: Count, elsewhere: Count) -> Evidence:
    here = by_chance(ours, others)
    there = by_chance(ours, elsewhere)
    if here > RARE or (elsewhere.made >= FIRST_FLOWS and there > COMMON):
        return Evidence.NONE
    return Evidence.CONCLUSIVE if there <= VERY_RARE else Evidence.STRONG
