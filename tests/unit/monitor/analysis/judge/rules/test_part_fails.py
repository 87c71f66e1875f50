"""The endpoint answers, and a part fails: a family, an address, QUIC, or some connections."""

from math import comb

import msgspec
import pytest

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.counted_flows import Count, by_chance
from monitor.analysis.judge.quic_blocked import answered_over_udp
from monitor.analysis.judge.second_attempt import suspicious
from monitor.analysis.verdict import Evidence, State, VantageState
from probes.measure.flow_counts import FIRST_FLOWS, FLOWS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import LATE_ANSWER, AnyObservation, DnsAnswer, Measurement, Purpose
from tests.worlds.build import (
    V4,
    V4_OTHER,
    V6,
    app,
    case,
    control,
    dns,
    follow_up,
    health,
    http,
    look,
    quic,
    repeated,
    tcp,
    tls,
)
from tests.worlds.judge_cases import (
    BOTH,
    CONTROL_BOTH,
    CONTROL_QUIC,
    NO_QUIC,
    REACHED_AT_BOTH,
    STUN,
    TELEGRAM,
    TWO_ADDRESSES,
    V6_DNS,
    V6_WELL,
    WELL,
    counted,
    flows,
    innocuous,
    one_of_two,
    over_quic,
)
from tests.worlds.judged import judge

SILENT = {
    "ipv4": (tcp("generic_timeout_error"),),
    "ipv6": (tcp("generic_timeout_error", address=V6),),
}


def test_silence_over_quic_is_gated_by_loss() -> None:
    """One lost datagram accuses nobody; silence that loss does not explain grows with looks."""
    once = case(look(*NO_QUIC, reached=True), controls=CONTROL_QUIC, quic_works=True)
    assert judge(once).state is State.OK
    assert judge(over_quic(*NO_QUIC)).evidence is Evidence.WEAK
    thrice = repeated(*NO_QUIC, times=4, reached=True)
    verdict = judge(case(*thrice, controls=CONTROL_QUIC, quic_works=True))
    assert (verdict.method, verdict.sub_method) == ("quic", "timeout")
    assert verdict.evidence is Evidence.STRONG
    assert verdict.failures == {"quic": "generic_timeout_error"}


def test_follow_ups_over_quic_count_as_looks() -> None:
    """HTTP/3 asked for after the failure agrees with, or refutes, what the looks showed."""
    for failure, rule_id in ((None, "endpoint.reached"), ("generic_timeout_error", "quic.blocked")):
        extra = follow_up(Reason.HTTP3, quic(failure))
        assert judge(over_quic(*NO_QUIC, follow_ups=(extra,))).rule_id == rule_id


@pytest.mark.parametrize(
    ("controls", "rule_id"),
    [
        ((), "part.no_control"),
        ((control(),), "endpoint.reached"),
        ((control(*WELL, quic("generic_timeout_error")),), "endpoint.reached"),
        ((control(*WELL, quic(), at=1.0),), "part.control_failed"),
    ],
)
def test_quic_needs_a_control_that_saw_it_work(
    controls: tuple[Measurement, ...], rule_id: str
) -> None:
    """Without HTTP/3 at the control after the failures, nobody is accused; and without any control
    that counts, nobody is ok."""
    assert judge(over_quic(*NO_QUIC, controls=controls)).rule_id == rule_id


def test_udp_that_got_through_is_told_from_dns() -> None:
    """HTTP/3 and STUN show that UDP gets through; names that resolve and MTProto do not."""
    seen = [
        look(dns(), tcp(), quic(), endpoint="https://x.com/"),
        look(app(protocol="stun"), endpoint=STUN),
        look(dns(), quic("generic_timeout_error"), endpoint="https://t.co/"),
        look(tcp(), app(), endpoint=TELEGRAM),
    ]
    assert answered_over_udp(seen) == {"https://x.com/", STUN}


def test_a_reference_over_udp_accuses_nobody_of_blocking_http_3() -> None:
    """Networks that drop UDP 443 for everybody let calls and the time pass."""
    one = over_quic(*NO_QUIC, quic_works=False)
    heard = msgspec.structs.replace(one, udp_references={"stun:stun.example:3478": ("ipv4",)})
    assert judge(heard).rule_id == "quic.everywhere"
    assert judge(heard).state is State.OK


def test_quic_that_worked_once_is_not_blocked() -> None:
    """An attempt that got through clears it."""
    looks = (look(*NO_QUIC, reached=True), look(*WELL, quic(), at=2, reached=True))
    assert judge(case(*looks, controls=CONTROL_QUIC, quic_works=True)).state is State.OK


V4_SILENT = repeated(*V6_WELL, dns(), tcp("generic_timeout_error"), times=4, reached=True)
SAME_V4 = tuple(
    msgspec.structs.replace(one, reason=Reason.SAME_ADDRESS.value) for one in (tcp(), tls())
)
HIDDEN = control(tcp(address=""), tls(address=""), http(address=""))
"""A control behind a proxy that resolves: it shows no address."""


def test_silence_over_ipv4_is_weak_without_a_control_at_the_address() -> None:
    """A server that is dead for everybody looks like a block of one family."""
    elsewhere = control(dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER), tls(address=V4_OTHER))
    verdict = judge(case(*V4_SILENT, field=health(families=BOTH), controls=(elsewhere,)))
    assert (verdict.rule_id, verdict.evidence) == ("family.tcp", Evidence.WEAK)


@pytest.mark.parametrize("controls", [CONTROL_BOTH, (control(*HIDDEN.observations, *SAME_V4),)])
def test_silence_over_ipv4_is_strong_where_a_control_is_answered(
    controls: tuple[Measurement, ...],
) -> None:
    """People who have IPv4 alone are kept from the platform, and the server is there. A control
    behind a proxy shows it by the address alone."""
    verdict = judge(case(*V4_SILENT, field=health(families=BOTH), controls=controls))
    assert (verdict.rule_id, verdict.evidence) == ("family.tcp", Evidence.STRONG)
    assert (verdict.state, verdict.family) == (State.PARTIAL, "ipv4")


NO_A, NO_AAAA = dns(addresses=()), dns(addresses=(), rtype="AAAA")


def test_a_name_without_ipv4_addresses_is_weak_where_a_control_reaches_one() -> None:
    """Most people have IPv4 alone, and are kept from it; a resolver may have left them out."""
    looks = repeated(*V6_WELL, NO_A, times=4, reached=True)
    verdict = judge(case(*looks, field=health(families=BOTH), controls=CONTROL_BOTH))
    assert (verdict.rule_id, verdict.evidence) == ("family.dns", Evidence.WEAK)
    assert (verdict.family, verdict.sub_method) == ("ipv4", "no_answer")
    assert verdict.failures == {"dns": "dns_no_answer"}


HONEST = msgspec.structs.replace(tls(), reason=Reason.HONEST_ADDRESS.value)


def test_an_honest_address_shows_what_a_control_behind_a_proxy_cannot() -> None:
    """That the name has IPv4 addresses, and that the platform answers there."""
    looks = repeated(*V6_WELL, dns("dns_nxdomain_error"), times=4, reached=True)
    asked = follow_up(Reason.HONEST_ADDRESS, tcp(), HONEST, at=51)
    made = case(*looks, field=health(families=BOTH), controls=(HIDDEN,), follow_ups=(asked,))
    assert (judge(made).rule_id, judge(made).evidence) == ("family.dns", Evidence.CONCLUSIVE)


@pytest.mark.parametrize("failure", ["dns_nxdomain_error", "dns_refused_error"])
def test_who_says_that_a_name_does_not_exist_and_gives_an_address_contradicts_himself(
    failure: str,
) -> None:
    """Not every endpoint is followed up. Some name servers say so of one record type, which is
    weak."""
    looks = repeated(*V6_WELL, dns(failure), times=4, reached=True)
    made = case(*looks, field=health(families=BOTH), controls=(HIDDEN,))
    assert (judge(made).rule_id, judge(made).evidence) == ("family.dns", Evidence.WEAK)
    everywhere = (control(*V6_WELL, dns(failure)),)
    assert judge(msgspec.structs.replace(made, controls=everywhere)).state is State.OK


def test_a_name_server_that_fails_for_ipv6_addresses_accuses_nobody() -> None:
    """Many do, and everybody is answered over IPv4."""
    looks = repeated(*WELL, dns("dns_nxdomain_error", rtype="AAAA"), times=4, reached=True)
    assert judge(case(*looks, field=health(families=BOTH), controls=(HIDDEN,))).state is State.OK


def _forged(
    *replies: tuple[str, ...], failure: str | None = None, rtype: str = "A"
) -> AnyObservation:
    """A query with these replies, the first of which the measurement went on with."""
    answers = (
        DnsAnswer(delay=0.01 * (1 + n), rcode="NOERROR", addresses=one)
        for n, one in enumerate(replies)
    )
    return dns(failure, answers=tuple(answers), rtype=rtype)


@pytest.mark.parametrize("controls", [CONTROL_BOTH, (HIDDEN,)])
@pytest.mark.parametrize(
    ("over_ipv4", "first"),
    [
        ((_forged((V4_OTHER,), (V4,)), tcp("generic_timeout_error", address=V4_OTHER)), V4_OTHER),
        ((_forged((), (V4,)),), ""),
    ],
)
def test_an_answer_forged_for_ipv4_alone_keeps_most_people_out(
    controls: tuple[Measurement, ...], over_ipv4: tuple[AnyObservation, ...], first: str
) -> None:
    """IPv6 answers, which few have. No control need answer at the false address, and a denial is
    forged as addresses are."""
    dead = msgspec.structs.replace(
        tcp("generic_timeout_error", address=V4_OTHER), reason=Reason.SAME_ADDRESS.value
    )
    there = tuple(
        msgspec.structs.replace(one, observations=(*one.observations, *((dead,) if first else ())))
        for one in controls
    )
    looks = repeated(*V6_WELL, *over_ipv4, times=4, reached=True)
    verdict = judge(case(*looks, field=health(families=BOTH), controls=there))
    assert (verdict.rule_id, verdict.sub_method) == ("family.dns", "injection")
    assert verdict.family == "ipv4"


def test_a_false_server_over_ipv4_alone_is_told_by_an_honest_address() -> None:
    """The control tries the false address as well, and meets the same false certificate."""
    false = (dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER))
    seen = tls("ssl_unknown_authority", address=V4_OTHER)
    looks = repeated(*V6_WELL, *false, seen, times=4, reached=True)
    there = msgspec.structs.replace(seen, reason=Reason.SAME_ADDRESS.value)
    controls = (control(*WELL, *V6_WELL, there),)
    asked = follow_up(Reason.HONEST_ADDRESS, tcp(), HONEST, at=51)
    made = case(*looks, field=health(families=BOTH), controls=controls, follow_ups=(asked,))
    assert (judge(made).rule_id, judge(made).sub_method) == ("family.dns", "hijack")
    assert judge(msgspec.structs.replace(made, follow_ups=())).state is State.OK


@pytest.mark.parametrize(
    ("families", "over_ipv4"),
    [
        (BOTH, _forged(("10.10.34.35",), (V4,), failure="dns_bogon_error")),
        (("ipv4",), _forged((), (V4,))),
        (BOTH, _forged((), (V4,))),
    ],
)
def test_a_denial_that_comes_before_the_true_answer_is_forged(
    families: tuple[str, ...], over_ipv4: AnyObservation
) -> None:
    """The measurement went on with the first reply, so nothing was dialled; that another one gave
    addresses is no success."""
    looks = repeated(over_ipv4, _forged((), (V6,), rtype="AAAA"), times=4)
    verdict = judge(case(*looks, field=health(families=families), controls=CONTROL_BOTH))
    assert (verdict.state, verdict.rule_id) == (State.BLOCKED, "dns.injection")


@pytest.mark.parametrize(
    ("controls", "follow_ups", "rule_id"),
    [
        (CONTROL_BOTH, (), "dns.no_answer"),
        ((HIDDEN,), (follow_up(Reason.HONEST_ADDRESS, tcp(), HONEST, at=51),), "dns.no_answer"),
        ((HIDDEN,), (), "vantage.family_missing"),
        ((control(*V6_WELL, NO_A),), (), "vantage.family_missing"),
    ],
)
def test_a_name_denied_over_ipv4_where_nobody_has_ipv6(
    controls: tuple[Measurement, ...], follow_ups: tuple[Measurement, ...], rule_id: str
) -> None:
    """The resolver gives addresses that cannot be used, and leaves out those that can."""
    looks = repeated(V6_DNS, NO_A, times=4)
    made = case(*looks, field=health(families=("ipv4",)), controls=controls, follow_ups=follow_ups)
    assert judge(made).rule_id == rule_id


@pytest.mark.parametrize(
    ("looks", "controls"),
    [
        ((*WELL, NO_AAAA), CONTROL_BOTH),
        ((*V6_WELL, NO_A), (control(*V6_WELL, NO_A),)),
        ((*V6_WELL, NO_A), (HIDDEN,)),
    ],
)
def test_a_name_that_may_lack_a_family_is_ok(
    looks: tuple[AnyObservation, ...], controls: tuple[Measurement, ...]
) -> None:
    """Resolvers leave IPv6 out for many, and a name may have no IPv4 anywhere."""
    made = repeated(*looks, times=4, reached=True)
    assert judge(case(*made, field=health(families=BOTH), controls=controls)).state is State.OK


def test_an_ipv4_address_dead_for_the_control_too_is_no_block() -> None:
    """Whether the control reaches the host at another IPv4 address then says nothing."""
    dead = msgspec.structs.replace(tcp("generic_timeout_error"), reason=Reason.SAME_ADDRESS.value)
    seen = control(dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER), tls(address=V4_OTHER), dead)
    verdict = judge(case(*V4_SILENT, field=health(families=BOTH), controls=(seen,)))
    assert verdict.state is State.OK


def test_a_control_behind_a_proxy_shows_no_family_without_the_address() -> None:
    """It reached the host over a family that nobody knows."""
    verdict = judge(case(*V4_SILENT, field=health(families=BOTH), controls=(HIDDEN,)))
    assert verdict.state is State.OK


def test_a_name_cut_off_over_ipv4_alone_is_conclusive_with_follow_ups() -> None:
    """An innocuous name is answered at the address, and the name is cut off again after it."""
    cut = (*V6_WELL, dns(), tcp(), tls("connection_reset"))
    again = follow_up(Reason.NAME_AGAIN, tcp(), tls("connection_reset"), at=51)
    seen = case(
        *repeated(*cut, times=4, reached=True),
        field=health(families=BOTH),
        controls=(control(*HIDDEN.observations, *SAME_V4),),
        follow_ups=(innocuous(), again),
    )
    verdict = judge(seen)
    assert (verdict.rule_id, verdict.evidence) == ("family.tls", Evidence.CONCLUSIVE)
    assert (verdict.state, verdict.family, verdict.sub_method) == (State.PARTIAL, "ipv4", "reset")


@pytest.mark.parametrize(
    ("cut", "others", "elsewhere", "evidence"),
    [
        (16, 0, 0, Evidence.CONCLUSIVE),
        (16, 0, None, Evidence.STRONG),
        (16, 0, 5, Evidence.STRONG),
        (16, 0, 16, Evidence.NONE),
        (20, 3, 0, Evidence.CONCLUSIVE),
        (13, 0, 0, Evidence.NONE),
        (16, 4, 0, Evidence.NONE),
        (16, 14, 0, Evidence.NONE),
        (0, 0, 0, Evidence.NONE),
    ],
)
def test_a_share_of_connections_accuses_by_the_odds(
    cut: int, others: int, elsewhere: int | None, evidence: Evidence
) -> None:
    """Against an innocuous name at the same address, and against a control that asks as often."""
    verdict = judge(counted(cut, others=others, elsewhere=elsewhere))
    assert verdict.evidence is evidence
    if evidence is Evidence.NONE:
        assert (verdict.state, verdict.share) == (State.OK, None)
    else:
        assert (verdict.state, verdict.share) == (State.PARTIAL, round(cut / FLOWS, 4))
        assert (verdict.method, verdict.sub_method) == ("tls", "reset")


@pytest.mark.parametrize(("cut", "others"), [(3, 3), (10, 3), (24, 0), (0, 5), (8, 0)])
def test_the_odds_are_those_of_fisher(cut: int, others: int) -> None:
    """The sum over all tables that are as telling, of those with the same totals."""
    every, made = cut + others, 24
    tables = {k: comb(made, k) * comb(made, every - k) for k in range(every + 1)}
    wanted = sum(ways for k, ways in tables.items() if k >= cut) / sum(tables.values())
    assert by_chance(Count(made, cut), Count(made, others)) == pytest.approx(wanted)


@pytest.mark.parametrize("failure", ["generic_timeout_error", "connection_refused"])
def test_one_of_two_addresses_is_partial_and_weak(failure: str) -> None:
    """A server near by that died looks the same."""
    verdict = judge(one_of_two(failure, controls=REACHED_AT_BOTH))
    assert (verdict.state, verdict.rule_id) == (State.PARTIAL, "partial.addresses")
    assert (verdict.evidence, verdict.share) == (Evidence.WEAK, 0.5)


@pytest.mark.parametrize(
    ("times", "rule_id", "evidence"),
    [(2, "partial.addresses", Evidence.WEAK), (4, "quic.blocked", Evidence.STRONG)],
)
def test_a_dead_address_hides_no_certain_block_of_quic(
    times: int, rule_id: str, evidence: Evidence
) -> None:
    """A lead alone never confirms: beside one dead server, blocked QUIC was never an event."""
    seen = (*TWO_ADDRESSES, tcp("generic_timeout_error", address=V4_OTHER), tls(), http())
    attempts = repeated(*seen, quic("generic_timeout_error"), times=times, reached=True)
    (both,) = REACHED_AT_BOTH
    there = msgspec.structs.replace(both, observations=(*both.observations, quic()))
    verdict = judge(case(*attempts, controls=(there,), quic_works=True))
    assert (verdict.rule_id, verdict.evidence) == (rule_id, evidence)


def test_an_address_that_worked_once_is_not_blocked() -> None:
    """It failed by accident."""
    failing_once = look(
        *TWO_ADDRESSES, tcp("generic_timeout_error", address=V4_OTHER), tls(), reached=True
    )
    well = look(*TWO_ADDRESSES, tcp(address=V4_OTHER), tls(), at=2, attempt=2, reached=True)
    assert judge(case(failing_once, well)).state is State.OK


@pytest.mark.parametrize(
    ("seen", "failures"),
    [
        ((tcp("generic_timeout_error", address=V6),), {"tcp": "generic_timeout_error"}),
        ((tcp("network_unreachable", address=V6),), {"tcp": "network_unreachable"}),
        (
            (tcp(address=V6), tls("generic_timeout_error", address=V6)),
            {"tls": "generic_timeout_error"},
        ),
    ],
)
def test_dead_ipv6_beside_good_ipv4_blocks_nobody(
    seen: tuple[AnyObservation, ...], failures: dict[str, str]
) -> None:
    """Browsers and apps use IPv4 within a quarter of a second. The verdict is ok and tells it."""
    looks = repeated(*WELL, V6_DNS, *seen, times=4, reached=True)
    verdict = judge(case(*looks, field=health(families=BOTH), controls=CONTROL_BOTH))
    assert (verdict.state, verdict.rule_id) == (State.OK, "family.ipv6_dead")
    assert verdict.failures == failures


@pytest.mark.parametrize(
    ("family", "rule_id"), [("ipv4", "family.hidden"), ("ipv6", "endpoint.reached")]
)
def test_a_lossy_path_blocks_no_family(family: str, rule_id: str) -> None:
    """What one family came to on such a path is luck. Silence over IPv4 may be a block besides."""
    seen = _not_over(family, *SILENT[family], controls=CONTROL_BOTH, lossy_path=True)
    assert judge(seen).rule_id == rule_id


def _over_ipv6(*seen: AnyObservation) -> Case:
    """Two attempts that our resolver led to a dead address over IPv4, and follow-ups that saw
    `seen`. The control has other addresses, and that one is silent to it as well."""
    dead = tcp("generic_timeout_error", address=V4_OTHER)
    looks = repeated(*V6_WELL, dns(addresses=(V4_OTHER,)), dead, times=2, reached=True)
    same = msgspec.structs.replace(dead, reason=Reason.SAME_ADDRESS)
    controls = (control(*WELL, *V6_WELL, same),)
    asked = tuple(follow_up(one.reason, one, at=50.0 + i) for i, one in enumerate(seen))
    return case(*looks, field=health(families=BOTH), controls=controls, follow_ups=asked)


def _at_honest_address(*seen: AnyObservation) -> list[AnyObservation]:
    return [msgspec.structs.replace(one, reason=Reason.HONEST_ADDRESS) for one in seen]


@pytest.mark.parametrize(
    "seen",
    [
        (tcp("generic_timeout_error"),),
        (tcp(), tls("connection_reset")),
        (tcp(), tls("generic_timeout_error")),
        (tcp(), tls("connection_reset"), tcp(address=V6), tls(address=V6)),
    ],
    ids=["silent", "cut off", "handshake silent", "over IPv6 alone"],
)
def test_a_dead_cache_over_ipv4_hides_no_block(seen: tuple[AnyObservation, ...]) -> None:
    """IPv6 works, and our resolver's IPv4 address is dead; but so are those that others give."""
    verdict = judge(_over_ipv6(*_at_honest_address(*seen)))
    assert (verdict.state, verdict.rule_id) == (State.INSUFFICIENT, "family.hidden")


def test_a_dead_cache_over_ipv4_alone_is_ok() -> None:
    """Where others' addresses work, and where nobody asked."""
    for seen in (_over_ipv6(*_at_honest_address(tcp(), tls())), _over_ipv6()):
        assert judge(seen).state is State.OK


@pytest.mark.parametrize("reason", [Reason.SMALL_SEGMENTS, Reason.PATIENCE, Reason.HONEST_ADDRESS])
def test_ipv4_that_got_through_once_is_no_hidden_block(reason: Reason) -> None:
    """Small segments, or more time, showed that nobody drops the name."""
    looks = repeated(*V6_WELL, tcp(), tls("generic_timeout_error"), times=2, reached=True)
    for failure, hidden in ((None, False), ("generic_timeout_error", True)):
        seen = case(
            *looks,
            field=health(families=BOTH),
            controls=CONTROL_BOTH,
            lossy_path=True,
            follow_ups=(follow_up(reason, tcp(), tls(failure)),),
        )
        assert (judge(seen).rule_id == "family.hidden") is hidden


@pytest.mark.parametrize("state", [VantageState.LOSSY, VantageState.OK])
def test_ipv4_on_a_line_that_loses_packets(state: VantageState) -> None:
    """There a block of IPv4 by silence can't be told from loss; refusals are not lost packets."""
    silent = _not_over("ipv4", *SILENT["ipv4"], controls=CONTROL_BOTH)
    refused = _not_over("ipv4", tcp("connection_refused"), controls=CONTROL_BOTH)
    lossy = health(state, families=BOTH)
    rules = [judge(msgspec.structs.replace(one, health=lossy)).rule_id for one in (silent, refused)]
    assert (rules[0] == "family.hidden") is (state is VantageState.LOSSY)
    assert rules[1] == "family.tcp"


@pytest.mark.parametrize("forged", [True, False])
def test_one_forged_answer_is_enough_where_another_got_lost(forged: bool) -> None:
    """An attempt that the honest answer let through undoes nothing that two answers to one show,
    while a lone bogon may be a passing fault."""
    answers = [
        DnsAnswer(delay=0.01, rcode="NOERROR", addresses=(address,), query=1)
        for address in ("127.0.0.1", V4)
    ]
    lie = dns("dns_bogon_error", answers=tuple(answers if forged else answers[:1]))
    v6 = V6_WELL
    first = look(lie, *v6, reached=True)
    last = look(*WELL, *v6, at=2, reached=True)
    verdict = judge(case(first, last, field=health(families=BOTH), controls=CONTROL_BOTH))
    if not forged:
        assert verdict.state is State.OK
        return
    assert (verdict.state, verdict.rule_id) == (State.PARTIAL, "family.dns")
    assert (verdict.family, verdict.sub_method) == ("ipv4", "injection")


@pytest.mark.parametrize("spared", [False, True])
def test_forged_for_each_family_it_is_blocked_though_attempts_got_through(spared: bool) -> None:
    """Where a forged reply gets lost the truth gets through, over one family and then the other.
    A family that was never lied about is spared."""
    false, true = ("127.0.0.1",), (V4,)
    over_v6 = look(_forged(false, true, failure="dns_bogon_error"), *V6_WELL, reached=True)
    lie = V6_DNS if spared else dns("dns_bogon_error", rtype="AAAA")
    over_v4 = look(*WELL, lie, at=2, attempt=2, reached=True)
    seen = case(over_v6, over_v4, field=health(families=BOTH), controls=CONTROL_BOTH)
    verdict = judge(seen)
    assert (verdict.state, verdict.rule_id, verdict.family) == (
        (State.PARTIAL, "family.dns", "ipv4") if spared else (State.BLOCKED, "dns.injection", "")
    )
    assert verdict.evidence is Evidence.STRONG


def test_one_forged_public_address_is_enough_too() -> None:
    """It was dialled, and is silent; in the other attempt the forged reply was lost."""
    silent = tcp("generic_timeout_error", address=V4_OTHER)
    first = look(_forged((V4_OTHER,), (V4,)), silent, *V6_WELL, reached=True)
    last = look(*WELL, *V6_WELL, at=2, reached=True)
    verdict = judge(case(first, last, field=health(families=BOTH), controls=CONTROL_BOTH))
    assert (verdict.rule_id, verdict.sub_method) == ("family.dns", "injection")


def test_a_look_told_of_a_family_too_late_did_not_try_it() -> None:
    """It calls for another look, and neither clears nor accuses the family it did not try."""
    late = msgspec.structs.replace(V6_DNS, reason=LATE_ANSWER)
    untried = look(*WELL, late, reached=True)
    reset = (*WELL, V6_DNS, tcp(address=V6), tls("connection_reset", address=V6))
    assert suspicious(untried, BOTH)
    assert not suspicious(untried, ("ipv4",))
    later = [look(*reset, at=2.0 * n, attempt=n + 1, reached=True) for n in (1, 2, 3, 4)]
    seen = case(untried, *later, field=health(families=BOTH), controls=CONTROL_BOTH)
    assert (judge(seen).rule_id, judge(seen).evidence) == ("family.tls", Evidence.STRONG)
    alone = case(untried, field=health(families=BOTH), controls=CONTROL_BOTH)
    assert judge(alone).state is State.OK


def test_an_attempt_that_ended_before_a_family_answered_neither_clears_nor_accuses_it() -> None:
    """The other one was faster, and loss delayed the reset."""
    cut = (*V6_WELL, dns(), tcp(), tls("connection_reset"))
    attempts = [look(*cut, at=2.0 * n, attempt=n + 1, reached=True) for n in range(4)]
    unfinished = look(*V6_WELL, dns(), tcp(), at=8.0, attempt=5, reached=True)
    seen = case(*attempts, unfinished, field=health(families=BOTH), controls=CONTROL_BOTH)
    assert (judge(seen).rule_id, judge(seen).evidence) == ("family.tls", Evidence.STRONG)
    alone = case(unfinished, field=health(families=BOTH), controls=CONTROL_BOTH)
    assert judge(alone).state is State.OK


@pytest.mark.parametrize("late", [True, False])
def test_attempts_that_missed_the_family_that_works_block_nothing(late: bool) -> None:
    """Over IPv4 all attempts were cut off, and over IPv6 the one got through for which addresses
    came in time. Had they come, the others would be failures over both."""
    came = msgspec.structs.replace(V6_DNS, reason=LATE_ANSWER) if late else V6_DNS
    first = look(msgspec.structs.replace(dns(), reason=LATE_ANSWER), *V6_WELL, reached=True)
    cut = (dns(), tcp(), tls("connection_reset"), came)
    later = [look(*cut, at=2.0 * n, attempt=n + 1) for n in (1, 2, 3, 4)]
    verdict = judge(case(first, *later, field=health(families=BOTH), controls=CONTROL_BOTH))
    expected = (State.PARTIAL, "family.tls") if late else (State.BLOCKED, "tls.reset")
    assert (verdict.state, verdict.rule_id) == expected


@pytest.mark.parametrize(
    ("made", "others", "grade"),
    [
        (FIRST_FLOWS, 0, Evidence.STRONG),
        (FIRST_FLOWS, FIRST_FLOWS, Evidence.WEAK),
        (4, 0, Evidence.WEAK),
    ],
    ids=["this name alone", "any name", "too few"],
)
def test_connections_counted_over_one_family_tell_where_few_attempts_do(
    made: int, others: int, grade: Evidence
) -> None:
    """Two attempts were cut off over IPv4, as a busy server may do, and then every connection with
    the name and none with another: that is no chance."""
    cut = (*V6_WELL, dns(), tcp(), tls("connection_reset"))
    asked = look(
        *flows(Reason.FLOW_NAME, made, made, "connection_reset"),
        *flows(Reason.FLOW_INNOCUOUS, made, others, "connection_reset"),
        at=20,
        kind=Purpose.FOLLOW_UP,
    )
    attempts = repeated(*cut, times=2, reached=True)
    seen = case(
        *attempts,
        follow_ups=(asked,),
        field=health(families=BOTH),
        controls=CONTROL_BOTH,
    )
    assert judge(seen).evidence is grade


def test_family_silence_that_loss_explains_is_ok() -> None:
    """One timeout over IPv6 beside a working IPv4 accuses nobody."""
    seen = look(*WELL, V6_DNS, tcp("generic_timeout_error", address=V6), reached=True)
    verdict = judge(case(seen, field=health(families=BOTH), controls=CONTROL_BOTH))
    assert verdict.state is State.OK


def _not_over(family: str, *seen: AnyObservation, **kwargs: object) -> Case:
    """Reached over the other family in both attempts; `seen` is this one."""
    other = WELL if family == "ipv6" else V6_WELL
    own = V6_DNS if family == "ipv6" else dns()
    looks = repeated(*other, own, *seen, times=2, reached=True)
    return case(*looks, field=health(families=BOTH), **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("family", "seen", "clear"),
    [
        ("ipv6", (tcp(address=V6), tls("connection_reset", address=V6)), False),
        ("ipv6", (tcp("connection_refused", address=V6),), False),
        ("ipv6", (tcp("generic_timeout_error", address=V6),), True),
        ("ipv6", (tcp(address=V6), tls(address=V6)), True),
        ("ipv4", (tcp("generic_timeout_error"),), False),
    ],
    ids=["cut off", "refused", "silent", "works", "silent over IPv4"],
)
def test_a_family_that_nobody_can_compare_makes_nothing_ok(
    family: str, seen: tuple[AnyObservation, ...], *, clear: bool
) -> None:
    """With a control it would be partly blocked. Silent IPv6 keeps nobody from the platform."""
    unwell = {"ctl-fra": health(VantageState.OFFLINE)}
    without = judge(_not_over(family, *seen, controls=()))
    beside = judge(_not_over(family, *seen, controls=CONTROL_BOTH, control_health=unwell))
    if clear:
        assert {without.rule_id, beside.rule_id} == {"endpoint.reached"}
    else:
        assert (without.state, without.rule_id) == (State.INSUFFICIENT, "part.no_control")
        assert (beside.state, beside.rule_id) == (State.INSUFFICIENT, "part.control_failed")


@pytest.mark.parametrize(
    ("failure", "rule_id"),
    [("connection_reset", "part.no_control"), ("generic_timeout_error", "endpoint.reached")],
)
def test_an_address_that_nobody_can_compare(failure: str, rule_id: str) -> None:
    """Why handshakes are cut off there nobody knows; a silent one may be a dead server."""
    seen = (*TWO_ADDRESSES, tcp(address=V4_OTHER), tls(), tls(failure, address=V4_OTHER), http())
    assert judge(case(*repeated(*seen, times=3, reached=True), controls=())).rule_id == rule_id


def test_quic_that_a_follow_up_alone_tried_cannot_be_compared_either() -> None:
    """Without that follow-up nothing failed, and the platform is ok."""
    extra = follow_up(Reason.HTTP3, quic("generic_timeout_error"))
    answered = look(*WELL, reached=True)
    tried = case(answered, controls=(), quic_works=True, follow_ups=(extra,))
    assert judge(tried).rule_id == "part.no_control"
    assert judge(case(answered, controls=(), quic_works=True)).rule_id == "endpoint.reached"
