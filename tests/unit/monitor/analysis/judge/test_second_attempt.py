"""What calls for another look in the same cycle, and what does not."""

import msgspec
import pytest

from monitor.analysis.judge.second_attempt import (
    attempts_agree,
    cut_off_at_times,
    deepest,
    one_more_pays,
    perhaps_by_chance,
    retry_may_tell,
    same_addresses,
    same_page_as_control,
    suspicious,
)
from probes.measure.follow_up_reasons import Reason
from probes.measurement import LATE_ANSWER, AnyObservation
from tests.worlds.build import V4, V4_OTHER, V6, control, dns, follow_up, http, look, tcp, tls

BOTH = ("ipv4", "ipv6")
PLAIN = "http://x.com/"


def test_a_cleartext_page_like_the_controls_needs_no_second_look() -> None:
    """It can never be trusted by itself; once compared, nothing is left to ask."""
    page = look(dns(), tcp(), http(url=PLAIN, title="News of today"), endpoint=PLAIN)
    assert suspicious(page, BOTH)
    same = control(dns(), tcp(), http(url=PLAIN, title="News of today"), endpoint=PLAIN)
    other = control(dns(), tcp(), http(url=PLAIN, status=403, length=9), endpoint=PLAIN)
    assert same_page_as_control(page, [same])
    assert not same_page_as_control(page, [other])


def test_a_family_that_fails_is_looked_at_again_though_the_page_is_right() -> None:
    """The page over one family says nothing of the other, however like the control's it is."""
    v6 = (dns(rtype="AAAA", addresses=(V6,)), tcp(address=V6), tls("connection_reset", address=V6))
    seen = look(dns(), tcp(), tls(), *v6, http(address=V4), reached=True)
    assert suspicious(seen, BOTH)
    assert not suspicious(seen, ("ipv4",))
    assert not same_page_as_control(seen, [control(dns(), tcp(), tls(), http())])


V6_CUT = (dns(rtype="AAAA", addresses=(V6,)), tcp(address=V6), tls("connection_reset", address=V6))
SILENT_OTHER = (dns(addresses=(V4, V4_OTHER)), tcp(), tls())
ONE_SILENT = (*SILENT_OTHER, tcp("generic_timeout_error", address=V4_OTHER))


def test_one_family_that_is_cut_off_takes_four_attempts_that_agree() -> None:
    """The other one answers each time, which settles nothing about it."""
    seen = look(dns(), tcp(), tls(), *V6_CUT, reached=True)
    assert [attempts_agree((seen,) * n, BOTH) for n in (2, 3, 4)] == [False, False, True]


def test_an_attempt_that_missed_a_family_never_agrees() -> None:
    """Its addresses came too late. One attempt more than others take is made after it."""
    v6 = (dns(rtype="AAAA"), tcp(address=V6), tls(address=V6), http())
    late = look(msgspec.structs.replace(dns(), reason=LATE_ANSWER), *v6, reached=True)
    cut = look(dns(), tcp(), tls(), *V6_CUT, reached=True)
    assert not attempts_agree((late,) * 4, BOTH)
    assert [one_more_pays(tried, BOTH) for tried in ((late,), (cut, late), (late, look(*v6)))] == [
        True,
        True,
        False,
    ]


def test_an_attempt_without_ipv4_addresses_never_agrees() -> None:
    """The answer that had them got lost. A denial would be an answer."""
    v6 = (dns(rtype="AAAA", addresses=(V6,)), tcp("host_unreachable", address=V6))
    lost = look(dns("generic_timeout_error"), *v6)
    assert not attempts_agree((lost,) * 4, BOTH)
    assert attempts_agree((look(dns("dns_nxdomain_error"), *v6),) * 2, BOTH)


def test_further_questions_are_about_an_attempt_that_tried_what_failed() -> None:
    """One that got addresses of a family too late has no address at which to ask."""
    v6 = (dns(rtype="AAAA", addresses=(V6,)), tcp(address=V6), tls(address=V6), http(address=V6))
    silent = look(dns(), tcp(), tls("generic_timeout_error"), *v6, reached=True)
    late = look(msgspec.structs.replace(dns(), reason=LATE_ANSWER), *v6, reached=True)
    refused = look(dns(), tcp("connection_refused"))
    assert deepest((silent, late, refused), BOTH) is silent
    assert deepest((late, refused), BOTH) is refused
    assert deepest((late,), BOTH) is late


def test_a_silent_address_is_tried_again_unless_it_is_dead_for_the_control_too() -> None:
    """A platform's retired address costs one control measurement, and no attempts."""
    seen = look(*ONE_SILENT, reached=True)
    assert suspicious(seen, BOTH)
    alive = control(*SILENT_OTHER, tcp(address=V4_OTHER), tls(address=V4_OTHER))
    dead = control(*ONE_SILENT)
    assert retry_may_tell(seen, [dead, alive], BOTH)
    assert not retry_may_tell(seen, [dead], BOTH)


NO_NAME = (dns("dns_nxdomain_error", addresses=()),)
NO_ANSWER = (dns("generic_timeout_error", addresses=()),)
ANOTHERS = (dns(), tcp(), tls("ssl_invalid_hostname"))


@pytest.mark.parametrize(
    ("here", "there", "tells"),
    [
        (NO_NAME, NO_NAME, True),
        (ANOTHERS, NO_NAME, True),
        (NO_NAME, ANOTHERS, True),
        (NO_ANSWER, NO_ANSWER, False),
        (NO_NAME, NO_ANSWER, False),
        (NO_NAME, (dns(), tcp("connection_refused")), False),
        ((dns(), tcp("connection_refused")), NO_NAME, False),
    ],
)
def test_two_resolvers_may_lie(
    here: tuple[AnyObservation, ...], there: tuple[AnyObservation, ...], tells: bool
) -> None:
    """Our resolver and the control's: only follow-ups tell two lies from a name that is gone.
    Silence is no lie, so nobody asks further where name servers are down."""
    assert retry_may_tell(look(*here), [control(*there, reached=False)], BOTH) is tells


@pytest.mark.parametrize(
    ("seen", "addresses"),
    [
        ((dns(), tcp("generic_timeout_error")), (V4,)),
        ((dns(), tcp(), tls("connection_reset"), *V6_CUT), (V4, V6)),
        ((dns(), tcp(), tls("ssl_unknown_authority")), None),
        ((dns("dns_nxdomain_error"),), None),
        ((dns(), tcp(), tls(), http()), None),
    ],
)
def test_controls_are_sent_where_something_failed(
    seen: tuple[AnyObservation, ...], addresses: tuple[str, ...] | None
) -> None:
    """Never where a false certificate was shown: a liar's resolver may lead there."""
    where = same_addresses(look(*seen), BOTH)
    assert (where.addresses if where else None) == addresses


MADE_UP, OWN_PREFIX = "64:ff9b::cb00:710a", "2001:db8:64::/96"


@pytest.mark.parametrize(
    ("nat64", "addresses"),
    [
        ((), ("2001:db8:64::cb00:710a", V6)),
        (("64:ff9b::/96",), ("2001:db8:64::cb00:710a", V6)),
        (("64:ff9b::/96", OWN_PREFIX), (V6,)),
        (("withheld",), None),
    ],
)
def test_no_control_is_sent_to_an_address_that_the_network_made_up(
    nat64: tuple[str, ...], addresses: tuple[str, ...] | None
) -> None:
    """Nobody answers there outside of it, so that a block looked like a server's fault; and the
    prefix may show whose network it is."""
    tried = [
        tcp("generic_timeout_error", address=one) for one in (MADE_UP, V6, "2001:db8:64::cb00:710a")
    ]
    where = same_addresses(look(dns(rtype="AAAA"), *tried), ("ipv6",), nat64)
    assert (where.addresses if where else None) == addresses


def test_connections_are_counted_only_where_some_worked() -> None:
    """A name that is cut off every time needs no share."""
    cut, well = look(dns(), tcp(), tls("connection_reset")), look(dns(), tcp(), tls(), reached=True)
    assert cut_off_at_times((cut, cut), BOTH) is None
    assert cut_off_at_times((well, well), BOTH) is None
    where = cut_off_at_times((cut, well), BOTH)
    assert where is not None
    assert (where.host, where.port, where.addresses) == ("x.com", 443, (V4,))


@pytest.mark.parametrize("reason", [Reason.NAME_AGAIN, Reason.USUAL_HELLO])
def test_a_name_that_works_again_in_a_follow_up_is_counted(reason: Reason) -> None:
    """All attempts were cut off, by chance."""
    cut = look(dns(), tcp(), tls("connection_reset"))
    again = follow_up(reason, tcp(), tls())
    where = perhaps_by_chance((cut,), [again])
    assert where is not None
    assert (where.host, where.addresses) == ("x.com", (V4,))
    assert (
        perhaps_by_chance((cut,), [follow_up(Reason.NAME_AGAIN, tcp(), tls("connection_reset"))])
        is None
    )
    assert perhaps_by_chance((cut,), [follow_up(Reason.INNOCUOUS_SNI, tcp(), tls())]) is None


def test_a_name_is_counted_where_another_was_cut_off_too() -> None:
    """What cuts off any name at times may have cut off the endpoint's every time. Where it cuts off
    all, there is nothing to count."""
    cut = look(dns(), tcp(), tls("connection_reset"), *V6_CUT)
    other = follow_up(Reason.INNOCUOUS_SNI, tcp(), tls("connection_reset"))
    answered = follow_up(Reason.INNOCUOUS_SNI, tcp(address=V6), tls(address=V6))
    where = perhaps_by_chance((cut,), [other, answered])
    assert where is not None
    assert (where.host, where.addresses) == ("x.com", (V6,))
    assert perhaps_by_chance((cut,), [other]) is None


def test_a_silent_name_is_counted_where_packets_get_lost() -> None:
    """An innocuous name may have been lucky, where connections needed more than one try. On a
    clean line its answer suffices."""
    silent = look(dns(), tcp(), tls("generic_timeout_error"))
    lossy = look(dns(), tcp(retransmits=1), tls("generic_timeout_error"))
    reset = look(dns(), tcp(retransmits=1), tls("connection_reset"))
    answered = follow_up(Reason.INNOCUOUS_SNI, tcp(), tls())
    elsewhere = follow_up(Reason.SNI_ELSEWHERE, tcp(retransmits=1), tls())
    where = perhaps_by_chance((lossy, silent), [answered])
    assert where is not None
    assert (where.host, where.addresses) == ("x.com", (V4,))
    assert perhaps_by_chance((silent, silent), [answered, elsewhere]) is None
    assert perhaps_by_chance((lossy, reset), [answered]) is None
    assert perhaps_by_chance((lossy, silent), []) is None
