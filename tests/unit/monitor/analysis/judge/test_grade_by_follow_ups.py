"""What follow-ups add to looks that failed, and what they must not."""

from typing import Any

import msgspec
import pytest

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.grade_by_follow_ups import LATE_RULE, SLOW
from monitor.analysis.verdict import Evidence, State, VantageState
from probes.measure.flow_counts import FLOWS
from probes.measure.follow_up import ADVERTISERS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    Layer,
    Measurement,
)
from tests.worlds.build import (
    V4,
    V4_OTHER,
    V6,
    app,
    case,
    certificate,
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
from tests.worlds.judge_cases import flows
from tests.worlds.judged import judge

HERE, THERE, REFERENCE = V4, V4_OTHER, "198.51.100.80"
INNOCUOUS = "innocuous.example"
CONTROL_THERE = (
    control(dns(addresses=(THERE,)), tcp(address=THERE), tls(address=THERE), http(address=THERE)),
)
"""The control was given another address, as geo-DNS does."""
SILENCE = "generic_timeout_error"
ALERT = "ssl_failed_handshake"


def cut(failure: str = "connection_reset", *, alert: bool = False) -> tuple[AnyObservation, ...]:
    """The greeting with the platform's name fails."""
    return dns(), tcp(), tls(failure, alert=alert and failure == ALERT)


def innocuous(failure: str | None = None, **kwargs: Any) -> Measurement:
    """Another name at the same address."""
    address = kwargs.pop("address", HERE)
    hello = tls(failure, server_name=INNOCUOUS, address=address, **kwargs)
    return follow_up(Reason.INNOCUOUS_SNI, tcp(address=address), hello)


def again(failure: str | None, address: str = HERE) -> Measurement:
    """What our own name came to once more, after an innocuous one."""
    hello = tls(failure, address=address, alert=failure == ALERT)
    return follow_up(Reason.NAME_AGAIN, tcp(address=address), hello)


def elsewhere(failure: str | None = None, **kwargs: Any) -> Measurement:
    """The platform's name at a reference's address."""
    hello = tls(failure, address=REFERENCE, **kwargs)
    return follow_up(Reason.SNI_ELSEWHERE, tcp(address=REFERENCE), hello)


def honest(failure: str | None = None, *, at: float = 50.0, name: str = "x.com") -> Measurement:
    """A verified greeting at an address that our resolver did not give."""
    hello = tls(failure, address=THERE, server_name=name)
    return follow_up(Reason.HONEST_ADDRESS, tcp(address=THERE), hello, at=at)


def small(failure: str | None = None) -> Measurement:
    """Our name at the address once more, in small segments."""
    hello = tls(failure, alert=failure == ALERT)
    return follow_up(Reason.SMALL_SEGMENTS, tcp(), hello)


def given_time(seconds: float, failure: str | None = None) -> Measurement:
    """Our name at the address once more, with more time to answer."""
    hello = msgspec.structs.replace(tls(failure), duration=seconds)
    return follow_up(Reason.PATIENCE, tcp(), hello)


def asked(reason: Reason, failure: str | None = None, **kwargs: Any) -> Measurement:
    """The name at another resolver."""
    resolver = kwargs.pop("resolver", "9.9.9.9:53")
    return follow_up(reason, dns(failure, resolver=resolver, **kwargs))


def failing(*seen: AnyObservation, times: int = 4, **kwargs: Any) -> Case:
    """Looks that all show the same, enough of them for silence to count."""
    return case(*repeated(*seen, times=times), **kwargs)


def read(*args: Any, **kwargs: Any) -> tuple[str, Evidence]:
    """Rule and evidence of the verdict on such a case."""
    verdict = judge(failing(*args, **kwargs))
    return verdict.rule_id, verdict.evidence


@pytest.mark.parametrize(
    ("there", "evidence"),
    [
        ((SILENCE, "connection_reset"), Evidence.CONCLUSIVE),
        ((SILENCE, None), Evidence.STRONG),
        (("connection_reset", "connection_reset"), Evidence.STRONG),
    ],
    ids=["cut off in two ways", "it got through once", "never as here"],
)
def test_a_name_that_is_cut_off_elsewhere_is_blocked(
    there: tuple[str | None, ...], evidence: Evidence
) -> None:
    """A censor that drops some packets and resets others cuts a name off either way."""
    more = tuple(elsewhere(failure) for failure in there)
    assert read(*cut(SILENCE), follow_ups=more) == ("tls.timeout", evidence)


# -- slow or silent ----------------------------------------------------------------------------


def test_attack_a_shaper_that_delays_handshakes_is_no_drop() -> None:
    """A line held to 128 kbit/s, shared by all tests of a platform, read as a conclusive block by
    name. Its handshake comes when it is given time, and speed is judged by transfers."""
    seen = cut(SILENCE)
    more = (innocuous(), again(SILENCE))
    assert read(*seen, follow_ups=more) == ("tls.timeout", Evidence.CONCLUSIVE)
    assert read(*seen, follow_ups=(*more, given_time(4.0))) == ("tls.late", Evidence.NONE)
    assert read(*seen, follow_ups=(*more, given_time(12.0, SILENCE))) == (
        "tls.timeout",
        Evidence.CONCLUSIVE,
    )


def test_a_drop_now_and_then_is_no_delay() -> None:
    """What lets some connections through drops the others: those come as quickly as ever."""
    more = (innocuous(), again(SILENCE), given_time(0.05))
    assert read(*cut(SILENCE), follow_ups=more) == ("tls.timeout", Evidence.CONCLUSIVE)


def test_a_far_server_is_not_late() -> None:
    """A handshake takes some round trips, however long they are."""
    far = msgspec.structs.replace(tcp(), duration=0.5)
    slow = msgspec.structs.replace(tls(), duration=2.0)
    waited = follow_up(Reason.PATIENCE, far, slow)
    seen = (dns(), far, tls(SILENCE))
    assert read(*seen, follow_ups=(innocuous(), again(SILENCE), waited))[0] == "tls.timeout"


def test_what_transfers_found_slow_explains_silence_beside_it() -> None:
    """Several hosts of a function share a line that is held to a rate, and some wait too long."""
    for more in ((), (innocuous(), again(SILENCE))):
        found = read(*cut(SILENCE), follow_ups=more, explained=frozenset({SLOW}))
        assert found == ("tls.late", Evidence.NONE)
    assert read(*cut("connection_reset"), explained=frozenset({SLOW}))[0] == "tls.reset"


def test_a_late_handshake_at_another_endpoint_weakens_silence() -> None:
    """Hosts of a platform may share a slow line, and only some handshakes come in time."""
    more = (innocuous(), again(SILENCE))
    late = frozenset({LATE_RULE})
    assert read(*cut(SILENCE), follow_ups=more, explained=late) == ("tls.timeout", Evidence.WEAK)
    assert read(*cut(), follow_ups=(innocuous(), again("connection_reset")), explained=late) == (
        "tls.reset",
        Evidence.CONCLUSIVE,
    )


# -- the name or the address -------------------------------------------------------------------

CUTS = [
    ("connection_reset", "tls.reset"),
    ("eof_error", "tls.eof"),
    (SILENCE, "tls.timeout"),
    (ALERT, "tls.alert"),
]


@pytest.mark.parametrize(("failure", "rule_id"), CUTS)
def test_only_this_name_is_cut_off(failure: str, rule_id: str) -> None:
    """An innocuous name answered at the very address, and ours cut off once more after it, make
    strong evidence conclusive."""
    seen = cut(failure, alert=True)
    assert read(*seen) == (rule_id, Evidence.STRONG)
    follow_ups = (innocuous(), again(failure))
    assert read(*seen, follow_ups=follow_ups) == (rule_id, Evidence.CONCLUSIVE)


@pytest.mark.parametrize(("failure", "rule_id"), CUTS)
def test_what_was_wrong_may_be_over(failure: str, rule_id: str) -> None:
    """An innocuous name that is answered tells nothing where ours is answered again as well, or
    was not said again, or elsewhere. Lost packets explain silence before an answer, not a reset."""
    seen = cut(failure, alert=True)
    for follow_ups in (
        (innocuous(), again(None)),
        (innocuous(),),
        (again(failure),),
        (innocuous(), again(failure, address=THERE)),
    ):
        lost = failure == SILENCE and follow_ups[-1] == again(None)
        grade = Evidence.WEAK if lost else Evidence.STRONG
        assert read(*seen, follow_ups=follow_ups) == (rule_id, grade)


def test_connections_counted_show_a_share_of_drops_that_one_alone_does_not() -> None:
    """Our name got through once, and then with 4 of 40 connections, where another always did."""
    more = (innocuous(), again(None))
    assert read(*cut(SILENCE), follow_ups=more) == ("tls.timeout", Evidence.WEAK)
    ours = flows(Reason.FLOW_NAME, FLOWS, FLOWS - 4, SILENCE)
    counted = look(*ours, *flows(Reason.FLOW_INNOCUOUS, FLOWS, 0, SILENCE), at=60)
    assert read(*cut(SILENCE), follow_ups=(*more, counted)) == ("partial.flows", Evidence.STRONG)


@pytest.mark.parametrize(("failure", "rule_id"), CUTS)
def test_an_alert_is_an_answer_but_to_an_alert(failure: str, rule_id: str) -> None:
    """An alert for a foreign name shows a server; where ours got one as well it tells nothing."""
    alert = innocuous(ALERT, alert=True)
    _, evidence = read(*cut(failure, alert=True), follow_ups=(alert, again(failure)))
    assert evidence is (Evidence.STRONG if rule_id == "tls.alert" else Evidence.CONCLUSIVE)


@pytest.mark.parametrize(("failure", "rule_id"), CUTS)
def test_any_name_is_cut_off_at_the_address(failure: str, rule_id: str) -> None:
    """Where the innocuous name fails alike, the address is at fault, and evidence stays; silence is
    that of the address only where small segments get no answer either."""
    same = innocuous(failure, alert=failure == ALERT)
    found = read(*cut(failure, alert=True), follow_ups=(same, small(failure)))
    assert found == ("tls.address", Evidence.STRONG), rule_id


def test_silence_at_an_address_may_be_a_lack_of_large_packets() -> None:
    """An answer in small segments shows it; where nobody asked, evidence stays weak. An innocuous
    name that is answered in large ones shows that the name is cut off."""
    same = innocuous(SILENCE)
    assert read(*cut(SILENCE), follow_ups=(same,)) == ("tls.address", Evidence.WEAK)
    found = read(*cut(SILENCE), follow_ups=(same, small()))
    assert found == ("tls.large_packets", Evidence.NONE)
    found = read(*cut(SILENCE), follow_ups=(innocuous(), again(SILENCE), small()))
    assert found == ("tls.timeout", Evidence.CONCLUSIVE)
    counted = follow_up(Reason.FLOW_INNOCUOUS, tcp(), *[tls(SILENCE, server_name=INNOCUOUS)] * 2)
    assert read(*cut(SILENCE), follow_ups=(counted,)) == ("tls.address", Evidence.WEAK)


def test_a_line_that_resets_one_family_hides_no_lack_of_large_packets_over_the_other() -> None:
    """It was a block of all that such a line does not reset: over one family our name and an
    innocuous one fall silent, over the other only the innocuous one is reset."""
    both = dns(addresses=(V4, V6))
    seen = (both, tcp(), tls(SILENCE), tcp(address=V6), tls(SILENCE, address=V6))
    reset = innocuous("connection_reset", address=V6)
    found = read(*seen, follow_ups=(innocuous(SILENCE), reset, small()))
    assert found == ("tls.large_packets", Evidence.NONE)
    answered = innocuous(address=V6)
    found = read(*seen, follow_ups=(innocuous(SILENCE), answered, small()))
    assert found == ("tls.timeout", Evidence.STRONG)


def test_the_innocuous_name_failing_in_another_way_tells_nothing() -> None:
    """A reset for one name and silence for the other may be the residue of the reset."""
    assert read(*cut(), follow_ups=(innocuous(SILENCE),)) == ("tls.reset", Evidence.STRONG)


def test_the_innocuous_name_at_another_address_tells_nothing() -> None:
    """What answers elsewhere does not show that the failing address is there."""
    follow_ups = (innocuous(address=THERE),)
    assert read(*cut(), follow_ups=follow_ups) == ("tls.reset", Evidence.STRONG)


@pytest.mark.parametrize(
    ("failure", "evidence"),
    [
        ("connection_reset", Evidence.CONCLUSIVE),
        (SILENCE, Evidence.CONCLUSIVE),
        ("eof_error", Evidence.STRONG),
    ],
)
def test_the_name_is_cut_off_wherever_it_is_said(failure: str, evidence: Evidence) -> None:
    """The name failing alike at a reference's address shows it, but for servers that hang up."""
    assert read(*cut(failure), follow_ups=(elsewhere(failure),))[1] is evidence


def test_the_name_failing_in_another_way_elsewhere_tells_nothing() -> None:
    """Silence there is not the reset seen here."""
    assert read(*cut(), follow_ups=(elsewhere(SILENCE),))[1] is Evidence.STRONG
    assert read(*cut(), follow_ups=(elsewhere(),))[1] is Evidence.STRONG


def test_residue_at_the_address_does_not_hide_the_name() -> None:
    """Many censors cut off the address for a while: the name at another one still tells."""
    follow_ups = (innocuous("connection_reset"), elsewhere("connection_reset"))
    assert read(*cut(), follow_ups=follow_ups) == ("tls.reset", Evidence.CONCLUSIVE)


@pytest.mark.parametrize("failure", ["connection_reset", SILENCE])
def test_one_look_is_never_conclusive(failure: str) -> None:
    """A reset seen once stays weak, silence met once stays nothing, whatever is asked next."""
    once = judge(failing(*cut(failure), times=1))
    after = judge(failing(*cut(failure), times=1, follow_ups=(innocuous(), elsewhere(failure))))
    assert (after.rule_id, after.evidence) == (once.rule_id, once.evidence)


def test_silence_that_loss_explains_is_not_made_conclusive() -> None:
    """The loss gate comes first."""
    follow_ups = (innocuous(), elsewhere(SILENCE))
    lossy = health(timeout_rate=0.3)
    assert read(*cut(SILENCE), follow_ups=follow_ups, field=lossy)[0] == "loss.possible"
    weak = read(*cut(SILENCE), times=2, follow_ups=follow_ups)
    assert weak == ("tls.timeout", Evidence.WEAK)


def test_follow_ups_need_a_control_all_the_same() -> None:
    """Nothing is accused without a witness, and no more than weakly when controls disagree."""
    assert read(*cut(), follow_ups=(innocuous(),), controls=())[0] == "control.missing"
    dead = control(dns(), tcp("connection_refused"), reached=False, vantage="ctl-ams")
    found = read(*cut(), follow_ups=(innocuous(),), controls=(control(), dead))
    assert found == ("tls.reset", Evidence.WEAK)


def test_follow_ups_of_others_and_of_before_do_not_count() -> None:
    """Only what was asked about this endpoint, after it failed, is compared."""
    early = case(
        *repeated(*cut(), times=4, duration=1.0),
        follow_ups=(follow_up(Reason.INNOCUOUS_SNI, tls(server_name=INNOCUOUS), at=0.5),),
    )
    assert judge(early).evidence is Evidence.STRONG
    other = follow_up(
        Reason.INNOCUOUS_SNI, tls(server_name=INNOCUOUS), endpoint="https://api.x.com/"
    )
    assert read(*cut(), follow_ups=(other,))[1] is Evidence.STRONG


def test_what_a_proxy_says_is_not_made_conclusive() -> None:
    """Hearsay stays weak."""
    looks = repeated(tcp("connection_refused", address=""), times=4, not_observed=(Layer.TCP,))
    assert judge(case(*looks, follow_ups=(honest(),))).evidence is Evidence.WEAK


# -- names that lie ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        ("dns_nxdomain_error", "nxdomain"),
        ("dns_refused_error", "refused"),
        ("dns_no_answer", "no_answer"),
        ("dns_bogon_error", "bogon"),
    ],
)
def test_only_the_name_lies(failure: str, word: str) -> None:
    """The platform answers at an address from somebody else, so the resolver is what blocks."""
    seen = dns(failure, addresses=("10.0.0.1",))
    rule_id = f"dns.{word}"
    assert read(seen, times=4) == (rule_id, Evidence.STRONG)
    assert read(seen, times=4, follow_ups=(honest(),)) == (rule_id, Evidence.CONCLUSIVE)
    broken = honest("connection_reset")
    assert read(seen, times=4, follow_ups=(broken,)) == (rule_id, Evidence.STRONG)
    other = honest(name="twitter.com")
    assert read(seen, times=4, follow_ups=(other,)) == (rule_id, Evidence.STRONG)


@pytest.mark.parametrize(
    ("failure", "over_https", "word"),
    [
        ("dns_nxdomain_error", "dns_nxdomain_error", "nxdomain"),
        ("dns_no_answer", "dns_no_answer", "no_answer"),
        ("dns_bogon_error", None, "bogon"),
    ],
)
def test_what_doh_denies_as_well_the_platforms_own_name_servers_may_deny(
    failure: str, over_https: str | None, word: str
) -> None:
    """They gave visitors of one country no address, or 127.0.0.1, and the network was accused
    conclusively. Nobody on the path makes a DoH server say so. One that gives addresses tells that
    the others lie; another failure of theirs tells nothing."""
    lie = ("127.0.0.1",)
    seen = dns(failure, addresses=lie)
    denied, strong = asked(Reason.DOH, over_https, addresses=lie), (f"dns.{word}", Evidence.STRONG)
    assert read(seen, follow_ups=(honest(), denied)) == strong
    other = asked(Reason.DOH, resolver="https://dns.example/")
    for more in ((other,), (asked(Reason.DOH, SILENCE),), (denied, other)):
        found = read(seen, follow_ups=(honest(), *more))
        assert found == (f"dns.{word}", Evidence.CONCLUSIVE)


@pytest.mark.parametrize(
    ("failure", "word"), [("dns_servfail_error", "servfail"), (SILENCE, "timeout")]
)
def test_a_resolver_in_trouble_is_told_from_a_name_that_is_blocked(failure: str, word: str) -> None:
    """Its own fault is ruled out only when an open resolver cannot answer over UDP either."""
    seen, fine = dns(failure), asked(Reason.OPEN_RESOLVER)
    dropped = asked(Reason.OPEN_RESOLVER, SILENCE)
    over_tcp = asked(Reason.OPEN_RESOLVER_TCP)
    weak, conclusive = (f"dns.{word}", Evidence.WEAK), (f"dns.{word}", Evidence.CONCLUSIVE)
    assert read(seen, follow_ups=(honest(), fine, over_tcp)) == weak
    assert read(seen, follow_ups=(honest(), dropped)) == weak
    assert read(seen, follow_ups=(honest(), dropped, fine, over_tcp)) == weak
    assert read(seen, follow_ups=(dropped, over_tcp)) == weak
    assert read(seen, follow_ups=(honest(), dropped, over_tcp)) == conclusive
    assert read(seen, follow_ups=(honest(), dropped, asked(Reason.DOH))) == conclusive


def forged() -> AnyObservation:
    """Two contradicting replies to one question."""
    return dns(
        answers=(
            DnsAnswer(delay=0.01, rcode="NOERROR", addresses=("198.51.100.66",)),
            DnsAnswer(delay=0.05, rcode="NOERROR", addresses=(HERE,)),
        )
    )


def test_injection_seen_twice_while_others_answer() -> None:
    """An answer over TCP or DoH shows what the forged one hides."""
    seen = (forged(), tcp(SILENCE, address="198.51.100.66"))
    assert read(*seen, times=4) == ("dns.injection", Evidence.STRONG)
    for follow_up_made in (asked(Reason.DOH), asked(Reason.OPEN_RESOLVER_TCP), honest()):
        found = read(*seen, times=4, follow_ups=(follow_up_made,))
        assert found == ("dns.injection", Evidence.CONCLUSIVE)
    assert read(*seen, times=1, follow_ups=(honest(),)) == ("dns.injection", Evidence.STRONG)
    udp = asked(Reason.OPEN_RESOLVER)
    assert read(*seen, times=4, follow_ups=(udp,)) == ("dns.injection", Evidence.STRONG)


# -- addresses ---------------------------------------------------------------------------------


def test_wrong_host_with_a_wrong_certificate_is_a_hijack() -> None:
    """Somebody else's server where our resolver led, the platform where an honest one did."""
    seen = (dns(), tcp(), tls("ssl_invalid_hostname"))
    found = read(*seen, times=4, follow_ups=(honest(),), controls=CONTROL_THERE)
    assert found == ("dns.hijack", Evidence.CONCLUSIVE)
    verdict = judge(failing(*seen, follow_ups=(honest(),), controls=CONTROL_THERE))
    assert (verdict.method, verdict.sub_method) == ("dns", "hijack")
    assert verdict.failures == {"tls": "ssl_invalid_hostname"}
    once = read(*seen, times=1, follow_ups=(honest(),), controls=CONTROL_THERE)
    assert once == ("dns.hijack", Evidence.WEAK)
    alone = read(*seen, times=4, follow_ups=(honest(),), controls=())
    assert alone == ("dns.hijack", Evidence.WEAK)


def test_an_expired_certificate_is_no_conclusive_hijack() -> None:
    """Honest servers forget to renew: led astray perhaps, but not beyond doubt."""
    seen = (dns(), tcp(), tls("ssl_invalid_certificate"))
    found = read(*seen, times=4, follow_ups=(honest(),), controls=CONTROL_THERE)
    assert found == ("dns.hijack", Evidence.STRONG)


def test_wrong_certificate_at_an_honest_address_is_a_man_in_the_middle() -> None:
    """The address is the platform's, the certificate is not: tls, not dns, and beyond doubt."""
    seen = (dns(), tcp(), tls("ssl_unknown_authority"))
    for source in (Reason.DOH, Reason.OPEN_RESOLVER_TCP):
        same = asked(source, addresses=(HERE,))
        found = read(*seen, times=4, follow_ups=(same,), controls=CONTROL_THERE)
        assert found == ("tls.certificate", Evidence.CONCLUSIVE)
    unasked = read(*seen, times=4)
    assert unasked == ("tls.certificate", Evidence.STRONG)


def test_an_address_over_udp_is_no_honest_one() -> None:
    """The same injector may have answered for the open resolver."""
    seen = (dns(), tcp(), tls("ssl_unknown_authority"))
    same = asked(Reason.OPEN_RESOLVER, addresses=(HERE,))
    found = read(*seen, times=4, follow_ups=(same,), controls=CONTROL_THERE)
    assert found == ("tls.certificate", Evidence.STRONG)
    found = read(*seen, times=4, follow_ups=(same, honest()), controls=CONTROL_THERE)
    assert found == ("dns.hijack", Evidence.CONCLUSIVE)


@pytest.mark.parametrize(
    "seen",
    [
        (dns(), tcp("connection_refused")),
        (dns(), tcp(), tls("connection_reset")),
    ],
)
def test_wrong_addresses_of_our_resolver_alone_are_a_hijack(
    seen: tuple[AnyObservation, ...],
) -> None:
    """The name works from here at an honest address, so neither it nor the platform is cut off."""
    found = read(*seen, follow_ups=(honest(),), controls=CONTROL_THERE)
    assert found == ("dns.hijack", Evidence.STRONG)
    before = (honest(), verified_before())
    assert read(*seen, follow_ups=before, controls=CONTROL_THERE) == (
        "dns.dead_address",
        Evidence.NONE,
    )


@pytest.mark.parametrize("seen", [(dns(), tcp(SILENCE)), (dns(), tcp(), tls(SILENCE))])
def test_silent_addresses_of_our_resolver_alone_may_be_a_cache_that_died(
    seen: tuple[AnyObservation, ...],
) -> None:
    """A liar seldom leads to silence, and a provider goes on naming its dead cache for days."""
    found = read(*seen, follow_ups=(honest(),), controls=CONTROL_THERE)
    assert found == ("dns.dead_address", Evidence.NONE)


def verified_before() -> Measurement:
    """Our resolver's address showed the platform's certificate in an earlier cycle."""
    return asked(Reason.VERIFIED_BEFORE, addresses=(HERE,))


def test_a_private_address_that_proves_itself_is_no_lie() -> None:
    """A provider's server of the platform; where it proves nothing the answer is a bogon."""
    lie = dns("dns_bogon_error", addresses=("10.77.0.9",))

    def private(failure: str | None = None) -> Measurement:
        shown = tls(failure, address="10.77.0.9")
        return follow_up(Reason.PRIVATE_ADDRESS, tcp(address="10.77.0.9"), shown)

    found = judge(failing(lie, follow_ups=(private(),)))
    assert (found.state, found.rule_id) == (State.OK, "dns.private_address")
    for failure in ("ssl_invalid_hostname", "ssl_unknown_authority", SILENCE):
        assert read(lie, follow_ups=(private(failure),))[0] == "dns.bogon"


def test_silence_at_a_private_address_that_another_name_proved_is_the_lines() -> None:
    """A line that lost packets made a block beyond doubt of one endpoint of eight."""
    cache = frozenset(("10.77.0.9",))
    lie = dns("dns_bogon_error", addresses=tuple(cache))

    def rule(*at: AnyObservation, known: frozenset[str] = cache) -> str:
        tried = failing(lie, follow_ups=(honest(), follow_up(Reason.PRIVATE_ADDRESS, *at)))
        return judge(msgspec.structs.replace(tried, private_addresses=known)).rule_id

    no_connection = tcp(SILENCE, address="10.77.0.9")
    no_handshake = tcp(address="10.77.0.9"), tls(SILENCE, address="10.77.0.9")
    assert rule(no_connection) == rule(*no_handshake) == "look.explained"
    assert rule(no_connection, known=frozenset(("10.77.0.8",))) == "dns.bogon"
    assert rule(tls("ssl_invalid_hostname", address="10.77.0.9")) == "dns.bogon"


GATEWAY = "CN=Gateway"
MINTED = certificate("x.com", by="Gateway")


@pytest.mark.parametrize(
    ("seen", "reason", "at"),
    [
        ((dns(), tcp(SILENCE)), Reason.HONEST_ADDRESS, THERE),
        ((dns(), tcp(), tls(SILENCE)), Reason.HONEST_ADDRESS, THERE),
        (
            (dns("dns_bogon_error", addresses=("10.77.0.9",)),),
            Reason.PRIVATE_ADDRESS,
            "10.77.0.9",
        ),
    ],
    ids=["no-connection", "no-handshake", "private"],
)
def test_a_device_at_the_site_hides_whose_an_address_is(
    seen: tuple[AnyObservation, ...], reason: Reason, at: str
) -> None:
    """It was a block beyond what the two faults show: a provider's cache that died, or one with a
    private address, behind an office's proxy, which puts its certificate in place of the proof."""
    shown = tls("ssl_unknown_authority", address=at, chain=(MINTED,))
    made = follow_up(reason, tcp(address=at), shown)

    def rule(*more: Measurement, by: str = GATEWAY) -> str:
        well = failing(*seen, follow_ups=(made, *more), controls=CONTROL_THERE)
        return judge(msgspec.structs.replace(well, local_authorities=frozenset({by}))).rule_id

    assert rule() == "dns.decrypted"
    assert rule(by="CN=Another") != "dns.decrypted"
    known = asked(Reason.DOH, addresses=(HERE,))
    assert (rule(known) == "dns.decrypted") is (reason is Reason.PRIVATE_ADDRESS)


def test_a_filter_against_advertising_is_the_vantages_own() -> None:
    """Its lists have names of Facebook's app beside those of advertisers. A censor's lie does not
    extend to these, and leads elsewhere."""
    lie = dns("dns_bogon_error", addresses=("0.0.0.0",))

    def advertisers(*addresses: str) -> Measurement:
        return asked(Reason.OWN_FILTER, name=ADVERTISERS, addresses=addresses)

    for zero in ("0.0.0.0", "::"):
        found = judge(failing(lie, follow_ups=(honest(), advertisers(zero))))
        assert (found.state, found.rule_id) == (State.INSUFFICIENT, "dns.own_filter")
    for other in (advertisers(), advertisers(HERE), advertisers("0.0.0.0", HERE)):
        assert read(lie, follow_ups=(honest(), other)) == ("dns.bogon", Evidence.CONCLUSIVE)
    page = dns("dns_bogon_error", addresses=("10.10.34.36",))
    assert read(page, follow_ups=(honest(), advertisers("0.0.0.0")))[0] == "dns.bogon"


CHAT = "tcp://g.whatsapp.net:443"


def _chat(*follow_ups: Measurement, elsewhere: str = THERE, **kwargs: Any) -> tuple[str, Evidence]:
    """A greeting that a stranger answers at HERE, and a control that is answered elsewhere."""
    name = "g.whatsapp.net"
    seen = dns(name=name), tcp(), app("unknown_failure: not WhatsApp's", first_reply=0.1)
    there = dns(name=name, addresses=(elsewhere,)), tcp(address=elsewhere), app(address=elsewhere)
    tried = repeated(*seen, times=3, endpoint=CHAT)
    made = (msgspec.structs.replace(one, endpoint=CHAT) for one in follow_ups)
    controls = (control(*there, endpoint=CHAT),)
    whole = case(*tried, endpoint=CHAT, controls=controls, follow_ups=tuple(made))
    found = judge(msgspec.structs.replace(whole, **kwargs))
    return found.rule_id, found.evidence


def test_a_stranger_where_a_chat_server_should_be_shows_who_led_there() -> None:
    """The chat answers at an address that others give: our resolver leads elsewhere. At its own
    address something is on the path, as where the chat answers nowhere."""
    well = follow_up(Reason.HONEST_ADDRESS, tcp(address=THERE), app(address=THERE))
    silent = follow_up(Reason.HONEST_ADDRESS, tcp(address=THERE), app(SILENCE, address=THERE))
    hijack, path = ("dns.hijack", Evidence.STRONG), ("app.middlebox", Evidence.STRONG)
    assert _chat(well) == hijack
    assert _chat(silent) == path
    assert _chat(well, elsewhere=HERE) == path
    assert _chat() == path
    known = frozenset(("dns.hijack",))
    assert _chat(explained=known) == hijack
    assert _chat(explained=known, elsewhere=HERE) == path


DENIALS = {
    "dns.nxdomain": "dns_nxdomain_error",
    "dns.refused": "dns_refused_error",
    "dns.no_answer": "dns_no_answer",
}


@pytest.mark.parametrize(("rule_id", "failure"), DENIALS.items())
def test_a_filter_that_denies_names_is_the_vantages_own(rule_id: str, failure: str) -> None:
    """Where it denies advertisers in the same way, and others give their address. To deny what
    nobody resolves, what others deny too, or in another way shows nothing."""
    lie, true = dns(failure), honest()

    def ours(failure: str | None, *addresses: str) -> Measurement:
        return asked(Reason.OWN_FILTER, failure, name=ADVERTISERS, addresses=addresses)

    def theirs(failure: str | None, *addresses: str) -> Measurement:
        return asked(Reason.ADVERTISERS, failure, name=ADVERTISERS, addresses=addresses)

    exists, denied = theirs(None, HERE), ours(failure)
    found = judge(failing(lie, follow_ups=(true, denied, exists)))
    assert (found.state, found.rule_id) == (State.INSUFFICIENT, "dns.own_filter")
    other = next(one for one in DENIALS.values() if one != failure)
    for more in (
        (denied,),
        (exists,),
        (denied, theirs(failure)),
        (ours(other), exists),
        (ours(None, HERE), exists),
        (ours("generic_timeout_error"), exists),
        (denied, ours(None, "0.0.0.0"), exists),
    ):
        assert read(lie, follow_ups=(true, *more)) == (rule_id, Evidence.CONCLUSIVE)


def test_a_private_cache_that_worked_and_died_is_no_lie() -> None:
    """It was read as a bogon beyond doubt as soon as it refused."""
    lie = dns("dns_bogon_error", addresses=("10.77.0.9",))
    dead = follow_up(Reason.PRIVATE_ADDRESS, tcp("connection_refused", address="10.77.0.9"))
    before = asked(Reason.VERIFIED_BEFORE, addresses=("10.77.0.9",))
    found = read(lie, follow_ups=(dead, honest(), before))
    assert found == ("dns.dead_address", Evidence.NONE)
    assert read(lie, follow_ups=(dead, honest())) == ("dns.bogon", Evidence.CONCLUSIVE)


def test_what_follow_ups_explained_explains_endpoints_without() -> None:
    """Few of a platform's endpoints are followed up. Another sign stays what it is."""
    silent, explained = (dns(), tcp(SILENCE)), frozenset({"dns.dead_address"})
    bogon = dns("dns_bogon_error", addresses=("10.77.0.9",))
    for seen in (silent, (bogon,)):
        assert read(*seen, explained=explained) == ("look.explained", Evidence.NONE)
    assert read(*cut(), explained=explained) == ("tls.reset", Evidence.STRONG)
    followed = (asked(Reason.DOH),)
    assert read(*silent, explained=explained, follow_ups=followed)[0] == "tcp.timeout"


def test_dead_addresses_that_are_the_platforms_are_blocked_by_address() -> None:
    """An answer that honest sources give as well is no lie, even if other addresses work."""
    doh = asked(Reason.DOH, addresses=(HERE, THERE))
    found = read(
        dns(), tcp("connection_refused"), follow_ups=(honest(), doh), controls=CONTROL_THERE
    )
    assert found == ("tcp.refused", Evidence.STRONG)


def test_no_address_works_at_all() -> None:
    """When honest addresses fail alike it is the way there that is blocked, not the name."""
    dead = follow_up(Reason.HONEST_ADDRESS, tcp("connection_refused", address=THERE))
    found = read(dns(), tcp("connection_refused"), follow_ups=(dead,), controls=CONTROL_THERE)
    assert found == ("tcp.refused", Evidence.STRONG)


def test_other_addresses_than_the_controls_are_good_when_they_verify() -> None:
    """CDNs rotate and geo-DNS differs: a handshake that verifies ends the question."""
    elsewhere_in_the_cdn = look(dns(), tcp(), tls(), http(), reached=True)
    given = asked(Reason.DOH, addresses=(THERE,))
    verdict = judge(
        case(elsewhere_in_the_cdn, controls=CONTROL_THERE, follow_ups=(given, honest()))
    )
    assert (verdict.state, verdict.rule_id) == (State.OK, "endpoint.reached")


def test_a_hijack_that_ends_at_the_platform_is_none() -> None:
    """A transparent proxy through which the certificate verifies keeps nobody from anything."""
    proxied = look(
        dns(addresses=("198.51.100.1",)),
        tcp(address="198.51.100.1"),
        tls(address="198.51.100.1"),
        http(address="198.51.100.1"),
        reached=True,
    )
    assert judge(case(proxied, controls=CONTROL_THERE)).state is State.OK


def test_a_reset_is_of_the_name_even_if_another_address_works() -> None:
    """A censor may look at both: where an innocuous name is let through, the name is what acts."""
    follow_ups = (innocuous(), again("connection_reset"), honest())
    found = read(*cut(), follow_ups=follow_ups, controls=CONTROL_THERE)
    assert found == ("tls.reset", Evidence.CONCLUSIVE)


# -- findings of their own ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "seen", [cut(), (dns("dns_nxdomain_error"),), (dns("dns_servfail_error"),)]
)
def test_doh_that_fails_changes_no_verdict(seen: tuple[AnyObservation, ...]) -> None:
    """That DoH is blocked says nothing about the platform."""
    down = asked(Reason.DOH, SILENCE, answers=())
    assert judge(failing(*seen, follow_ups=(down,))) == judge(failing(*seen))


def test_certificates_at_a_vantage_with_a_wrong_clock_are_not_conclusive() -> None:
    """Only from a vantage that is well does a certificate prove a man in the middle."""
    seen = (dns(), tcp(), tls("ssl_unknown_authority"))
    same = asked(Reason.DOH, addresses=(HERE,))
    found = read(*seen, times=4, follow_ups=(same,), field=health(VantageState.LOSSY))
    assert found == ("tls.certificate", Evidence.STRONG)


def at_control(
    failure: str | None, *, alert: bool = False, gives: tuple[str, ...] = (THERE,)
) -> Measurement:
    """A control that reaches the platform elsewhere, and then tries the address that failed here.
    `gives` is what its resolver says."""
    tried = (tcp(), tls(failure, alert=alert))
    return control(
        dns(addresses=gives),
        *(tcp(address=THERE), tls(address=THERE), http(address=THERE)),
        *(msgspec.structs.replace(one, reason=Reason.SAME_ADDRESS) for one in tried),
    )


@pytest.mark.parametrize(("failure", "rule_id"), CUTS)
def test_a_server_that_fails_for_a_control_too_accuses_nobody(failure: str, rule_id: str) -> None:
    """One edge of the platform is set up wrongly, and answers other names: whoever asks it for this
    one gets the same. Honest sources name it."""
    alert = failure == ALERT
    seen = cut(failure, alert=True)
    asked = (innocuous(), again(failure))
    named = (*asked, follow_up(Reason.DOH, dns(), at=50.0))
    there = at_control(failure, alert=alert)
    assert read(*seen, controls=(there,), follow_ups=named) == ("look.alike", Evidence.NONE)
    both = at_control(failure, alert=alert, gives=(HERE, THERE))
    assert read(*seen, controls=(both,), follow_ups=asked) == ("look.alike", Evidence.NONE)
    well = at_control(None)
    assert read(*seen, controls=(well,), follow_ups=named) == (rule_id, Evidence.CONCLUSIVE)
    assert read(*seen, controls=(there, well), follow_ups=named)[1] is Evidence.CONCLUSIVE


def test_an_address_that_only_our_resolver_gives_may_be_a_lie() -> None:
    """It fails for a control as well, as a false one would: that is neither an acquittal nor strong
    evidence by itself."""
    assert read(*cut(), controls=(at_control("connection_reset"),)) == ("tls.reset", Evidence.WEAK)
