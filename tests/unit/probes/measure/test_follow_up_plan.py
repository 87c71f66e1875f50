"""What is planned to be asked about a failed measurement."""

import msgspec
import pytest

from probes.measure.follow_up_plan import plan_follow_up
from probes.measure.follow_up_reasons import Reason
from probes.measurement import DnsObservation
from tests.worlds.build import control, dns, http, look, tcp, tls
from tests.worlds.follow_ups import ALT_SVC, GIVEN, SIX, TARGET, TRUE, TRUE_2, TRUE_3, planned


def test_what_is_read_off_a_reset() -> None:
    """The plan has the addresses that failed after TCP, those given, and those of the control."""
    failed = look(
        dns(addresses=(GIVEN, TRUE_2)),
        tcp(address=GIVEN),
        tcp(address=TRUE_2),
        tls("connection_reset", address=GIVEN),
        tls("connection_reset", address=TRUE_2),
    )
    seen = planned(failed, control(dns(addresses=(TRUE,)), tcp(), tls(address=TRUE_3), http()))
    assert (seen.host, seen.port, seen.tls) == ("x.com", 443, True)
    assert seen.failed_addresses == (GIVEN,)  # one of each family is enough
    assert seen.given == (GIVEN, TRUE_2)
    assert seen.known_elsewhere == (TRUE, TRUE_3)
    assert not seen.http3


@pytest.mark.parametrize(
    ("answer", "denied"),
    [
        (dns("dns_nxdomain_error", addresses=()), True),
        (dns("dns_no_answer", addresses=()), True),
        (dns("generic_timeout_error", addresses=(), answers=()), False),
        (dns(addresses=(GIVEN,)), False),
        (dns("dns_bogon_error", addresses=("0.0.0.0",)), False),
    ],
)
def test_a_resolver_denies_a_name_by_an_answer_without_addresses(
    answer: DnsObservation, denied: bool
) -> None:
    """Silence denies nothing."""
    assert planned(look(answer)).denied is denied


def test_attack_addresses_that_only_a_collector_names_are_not_dialled() -> None:
    """A hostile collector says that its controls reached x.com at anybody's address: an agent would
    connect there. Unless its host allows that, only its own resolvers name addresses."""
    failed = look(dns(addresses=(GIVEN,)), tcp(address=GIVEN), tls("connection_reset"))
    seen = control(dns(addresses=(TRUE,)), tcp(), tls(address=TRUE_3), http(headers=ALT_SVC))
    kept = plan_follow_up(TARGET, failed, (seen,), elsewhere="e.example", dials_known=False)
    assert (kept.known_elsewhere, kept.given) == ((), (GIVEN,))
    assert plan_follow_up(TARGET, failed, (seen,), elsewhere="").known_elsewhere == (TRUE, TRUE_3)


def test_one_address_of_each_family() -> None:
    """The plan has a failed address of each family."""
    failed = look(
        *(tls("connection_reset", address=a) for a in (GIVEN, TRUE, SIX, "2001:db8:113::11"))
    )
    assert planned(failed).failed_addresses == (GIVEN, SIX)


def test_an_address_that_answered_and_one_a_control_could_not_use_are_left_out() -> None:
    """Only failed addresses are tested again, and only working ones elsewhere count as honest."""
    failed = look(dns(), tcp(), tls(address=TRUE), tls("connection_reset", address=GIVEN))
    broken = control(dns("dns_nxdomain_error"), tls("connection_reset", address=TRUE_3))
    seen = planned(failed, broken)
    assert (seen.failed_addresses, seen.known_elsewhere) == ((GIVEN,), ())


def test_a_request_that_failed_after_the_handshake() -> None:
    """Without a failed handshake the address of the failed request is used."""
    failed = look(dns(), tcp(), tls(), http("generic_timeout_error", address=TRUE))
    assert planned(failed).failed_addresses == (TRUE,)


def test_a_redirect_to_a_host_that_fails() -> None:
    """The plan is about the last host of a redirect, at its port."""
    failed = look(
        dns(),
        tcp(),
        tls(),
        http(status=302),
        dns(name="www.x.com", addresses=(GIVEN,)),
        tcp(address=GIVEN, port=8443),
        tls("connection_reset", address=GIVEN, server_name="www.x.com"),
    )
    seen = planned(failed, control(dns(), dns(name="www.x.com", addresses=(TRUE_2,))))
    assert (seen.host, seen.port) == ("www.x.com", 8443)
    assert (seen.given, seen.known_elsewhere) == ((GIVEN,), (TRUE_2,))


def test_a_name_that_does_not_resolve() -> None:
    """Without an address of the name, other resolvers are still asked."""
    seen = planned(look(dns("dns_nxdomain_error")), control())
    assert (seen.failed_addresses, seen.given, seen.port, seen.tls) == ((), (), 443, True)


@pytest.mark.parametrize(
    ("url", "headers", "offered"),
    [
        ("https://x.com/", ALT_SVC, True),
        ("https://x.com/", (("alt-svc", 'h3=":8443"'),), False),
        ("https://x.com/", (("alt-svc", 'h3-29=":443"'),), False),
        ("https://x.com/", (), False),
        ("https://other.example/", ALT_SVC, False),
        ("http://x.com/", ALT_SVC, False),
    ],
)
def test_http_3_that_a_control_was_offered(
    url: str, headers: tuple[tuple[str, str], ...], *, offered: bool
) -> None:
    """HTTP/3 must be offered by the host itself, over TLS, on the same port."""
    seen = control(dns(), tcp(), tls(), http(url=url, headers=headers))
    assert planned(look(dns(), tcp(), tls("connection_reset")), seen).http3 is offered


def test_earlier_follow_ups_are_no_measurements_at_the_endpoint() -> None:
    """Observations with a reason are ignored."""
    extra = msgspec.structs.replace(tcp(port=53), reason=Reason.OPEN_RESOLVER_TCP.value)
    failed = look(dns(), tcp(), tls("connection_reset"), extra)
    assert planned(failed).port == 443


def test_the_plan_has_the_addresses_that_made_no_connection() -> None:
    """A refusal is an answer of the address, or of whoever speaks for it."""
    failed = look(
        dns(addresses=(GIVEN, TRUE, TRUE_2)),
        tcp("generic_timeout_error", address=GIVEN),
        tcp("host_unreachable", address=TRUE),
        tcp("connection_refused", address=TRUE_2),
        tcp(address=TRUE_3),
    )
    assert planned(failed).unreached == (GIVEN, TRUE)


def test_the_way_is_asked_about_to_an_address_that_answered_a_control() -> None:
    """What no control proved shows nothing: the way to such an address told nothing in half of all
    cycles, and a platform with few addresses was confirmed after a quarter of an hour."""
    failed = look(
        dns(addresses=(GIVEN, TRUE)),
        *(tcp("generic_timeout_error", address=one) for one in (GIVEN, TRUE)),
    )
    answered = control(dns(), tcp(address=GIVEN), tcp(address=TRUE), tls(address=TRUE))
    assert planned(failed, answered).unreached == (TRUE, GIVEN)
