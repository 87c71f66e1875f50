"""Connections that are cut off by chance, whatever name they send, accuse nobody."""

from collections import defaultdict
from math import comb

import msgspec
import pytest

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.counted_flows import RARE, Count, by_chance, share_of_all
from monitor.analysis.verdict import Evidence
from monitor.measuring.endpoints import FLOWS_PER_CYCLE
from probes.measure.flow_counts import AHEAD, FIRST_FLOWS, FLOWS, MOST_FLOWS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, Hello, Measurement, TlsObservation
from tests.worlds.build import (
    ENDPOINT,
    HOST,
    V6,
    case,
    control,
    dns,
    follow_up,
    health,
    http,
    look,
    repeated,
    tcp,
    tls,
)
from tests.worlds.judged import judge

CUT = (dns(), tcp(), tls("connection_reset"))
WELL = (dns(), tcp(), tls(), http())
V6_WELL = (dns(rtype="AAAA", addresses=(V6,)), tcp(address=V6), tls(address=V6))
PROOF = (
    follow_up(Reason.INNOCUOUS_SNI, tcp(), tls(server_name="innocuous.example")),
    follow_up(Reason.NAME_AGAIN, tcp(), tls("connection_reset"), at=51),
)
"""The innocuous name is answered, and ours is cut off again after it."""
SHORT = tuple(
    msgspec.structs.replace(one, hello=Hello.SHORT)
    for one in (
        *follow_up(Reason.OTHER_HELLO, tls("connection_reset")).observations,
        *follow_up(Reason.OTHER_HELLO_INNOCUOUS, tls(server_name="innocuous.example")).observations,
    )
    if isinstance(one, TlsObservation)
)
LUCK = {
    "tls.reset": case(*repeated(*CUT, times=4), follow_ups=PROOF),
    "family.tls": case(
        *repeated(*CUT, *V6_WELL, times=4, reached=True),
        field=health(families=("ipv4", "ipv6")),
        controls=(control(*WELL, *V6_WELL),),
        follow_ups=PROOF,
    ),
    "tls.short_hello": case(*repeated(*WELL, *SHORT, times=2, reached=True)),
}
"""What bad luck shows at some endpoint of a platform now and then → the rule that accuses by it."""


def flows(named: int, others: int, *, made: int = FLOWS) -> Measurement:
    """A count of connections with both names, of which so many were cut off."""
    seen: list[AnyObservation] = []
    for name, reason, cut in (
        (HOST, Reason.FLOW_NAME, named),
        ("innocuous.example", Reason.FLOW_INNOCUOUS, others),
    ):
        for n in range(made):
            one = tls("connection_reset" if n < cut else None, server_name=name)
            seen.append(msgspec.structs.replace(one, reason=reason.value))
    return look(*seen)


def chance_of_accusing(share: float) -> float:
    """The exact chance that a count finds the name cut off, where this share of all is."""

    def cut(made: int) -> list[float]:
        return [comb(made, k) * share**k * (1 - share) ** (made - k) for k in range(made + 1)]

    def rare(made: int, named: int, others: int) -> bool:
        return by_chance(Count(made, named), Count(made, others)) <= RARE

    first, second, third = cut(FIRST_FLOWS), cut(FLOWS - FIRST_FLOWS), cut(MOST_FLOWS - FLOWS)
    named = defaultdict[int, float](float)
    # Where all of the first are cut off, it goes on only if some of the others are: a bound.
    for k in range(1, FIRST_FLOWS + 1):
        for more, chance in enumerate(second):
            named[k + more] += first[k] * chance
    others, after = cut(FLOWS), MOST_FLOWS - FLOWS
    accused = {
        (k, j): rare(MOST_FLOWS, k, j) for k in range(MOST_FLOWS) for j in range(MOST_FLOWS + 1)
    }
    total = 0.0
    for k, of_named in named.items():
        for j, of_others in enumerate(others):
            if k < j + AHEAD:
                total += of_named * of_others * rare(FLOWS, k, j)
                continue
            total += (
                of_named
                * of_others
                * sum(
                    third[x] * sum(third[y] for y in range(after + 1) if accused[k + x, j + y])
                    for x in range(after + 1)
                    if k + x < MOST_FLOWS and accused[k + x, j]
                )
            )
    return total


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5])
def test_counts_accuse_a_faulty_server_less_than_once_in_ten_thousand_cycles(share: float) -> None:
    """Every count that a cycle may make meets a server which cuts off any name alike."""
    assert FLOWS_PER_CYCLE * chance_of_accusing(share) < 1e-4


@pytest.mark.parametrize(("rule", "seen"), LUCK.items(), ids=LUCK)
@pytest.mark.parametrize("share", [0.0, 0.002, 0.3, 0.6, 0.9])
def test_attack_bad_luck_at_a_faulty_server_accuses_nobody(
    rule: str, seen: Case, share: float
) -> None:
    """Elsewhere at the platform a share of all connections is cut off, whatever name they send."""
    verdict = judge(msgspec.structs.replace(seen, cut_share=share))
    if share < 0.1:
        assert verdict.rule_id == rule
        assert verdict.evidence in (Evidence.STRONG, Evidence.CONCLUSIVE)
    else:
        assert verdict.evidence is Evidence.NONE
        assert verdict.rule_id in ("partial.any_name", "endpoint.reached")


def test_much_more_than_a_share_explains_still_accuses() -> None:
    """Both families, every time, in every form, where a quarter of all connections is cut off."""
    cut = (*CUT, dns(rtype="AAAA", addresses=(V6,)), tcp(address=V6))
    attempts = repeated(*cut, tls("connection_reset", address=V6), times=4)
    seen = case(
        *attempts,
        follow_ups=PROOF,
        field=health(families=("ipv4", "ipv6")),
        controls=(control(*WELL, *V6_WELL),),
    )
    verdict = judge(msgspec.structs.replace(seen, cut_share=0.25))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.CONCLUSIVE)


@pytest.mark.parametrize(
    ("named", "others", "share"),
    [(13, 12, 25 / 64), (20, 2, 0.0), (8, 2, 10 / 64), (10, 0, 0.0), (0, 0, 0.0), (32, 32, 0.0)],
)
def test_a_share_of_all_is_one_that_does_not_depend_on_the_name(
    named: int, others: int, share: float
) -> None:
    """Where none with the innocuous name is cut off, nothing shows that any name would be. Where
    all connections are, over one address family, it was called chance, and read ok."""
    assert share_of_all(ENDPOINT, [flows(named, others)]) == pytest.approx(share)
