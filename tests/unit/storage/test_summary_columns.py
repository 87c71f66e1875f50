"""The summary says what stood in the way, and does not make a failure of what did not matter."""

import msgspec
import pytest

from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    TcpObservation,
    TlsObservation,
)
from storage.values.summary_columns import Summary, summarise
from tests.contract.cycles import REACHED, measurement

V4, V6, OTHER = "203.0.113.1", "2001:db8::1", "198.51.100.7"


def _dns(
    name: str = "x.com",
    rtype: str = "A",
    failure: str | None = None,
    reason: str = "",
    at: str = V4,
) -> DnsObservation:
    answers = () if failure else (DnsAnswer(delay=0.01, rcode="NOERROR", addresses=(at,)),)
    return DnsObservation(
        start=0,
        duration=0.01,
        failure=failure,
        reason=reason,
        name=name,
        rtype=rtype,
        resolver="192.0.2.53:53",
        answers=answers,
    )


def _tcp(address: str = V4, failure: str | None = None, duration: float = 0.02) -> TcpObservation:
    return TcpObservation(start=0, duration=duration, failure=failure, address=address, port=443)


def _tls(
    name: str = "x.com", failure: str | None = None, address: str = V4, reason: str = ""
) -> TlsObservation:
    return TlsObservation(
        start=0,
        duration=0.03,
        failure=failure,
        reason=reason,
        address=address,
        port=443,
        server_name=name,
        chain_sha256=name,
    )


def _http(
    url: str = "https://x.com/", status: int = 200, failure: str | None = None
) -> HttpObservation:
    return HttpObservation(
        start=0, duration=0.04, failure=failure, url=url, address=V4, status=status
    )


def _summary(*observations: AnyObservation, reached: bool = False) -> Summary:
    return summarise(measurement("m", observations=observations, reached=reached))


def test_a_healthy_look() -> None:
    """No failures, a time for each layer in milliseconds, and the status."""
    assert _summary(*REACHED, reached=True) == Summary(
        dns_ms=20.0,
        tcp_ms=50.0,
        tls_ms=100.0,
        http_ms=200.0,
        http_status=200,
        resolvers="192.0.2.53:53",
        addresses="203.0.113.1",
        http_url="https://x.com/",
        http_title="",
        http_body_bytes=0,
        http_body_sha256="",
    )


def test_nothing_seen() -> None:
    """Layers that were not looked at have neither a failure nor a time."""
    assert _summary() == Summary()


def test_a_broken_family_beside_a_working_one_is_no_failure() -> None:
    """Reached over IPv4, the look did not fail because IPv6 did."""
    seen = (
        _dns(),
        _dns(rtype="AAAA", failure="dns_no_answer"),
        _tcp(V6, "network_unreachable"),
        _tcp(),
        _tls(),
        _http(),
    )
    summary = _summary(*seen, reached=True)
    assert (summary.dns_failure, summary.tcp_failure, summary.tcp_ms) == (None, None, 20.0)


def test_the_layer_that_failed_everywhere_is_the_failure() -> None:
    """Resets on every address: TLS failed, DNS and TCP did not."""
    seen = (
        _dns(),
        _dns(rtype="AAAA", failure="dns_no_answer"),
        _tcp(),
        _tls(failure="connection_reset"),
        _tls(failure="generic_timeout_error", address=V6),
    )
    assert _summary(*seen) == Summary(
        tls_failure="connection_reset",
        dns_ms=10.0,
        tcp_ms=20.0,
        tls_ms=30.0,
        resolvers="192.0.2.53:53",
        addresses=V4,
        tls_chain_sha256="x.com",
    )


def test_a_failure_behind_a_redirect_is_not_hidden_by_the_first_host() -> None:
    """x.com works and redirects; the name it sends us to fails: that is what stood in the way."""
    first = (_dns(), _tcp(), _tls(), _http(status=301))
    nxdomain = _summary(*first, _dns("t.example", failure="dns_nxdomain_error"))
    assert nxdomain.dns_failure == "dns_nxdomain_error"
    refused = _summary(
        *first, _dns("t.example", at=OTHER), _tcp(OTHER, "connection_refused", duration=0.5)
    )
    assert (refused.dns_failure, refused.tcp_failure, refused.tcp_ms) == (
        None,
        "connection_refused",
        500.0,
    )
    reset = _summary(
        *first, _dns("t.example", at=OTHER), _tcp(OTHER), _tls("t.example", "connection_reset")
    )
    assert (reset.tls_failure, reset.http_failure, reset.http_status) == (
        "connection_reset",
        None,
        301,
    )


def test_the_last_response_of_a_chain_counts() -> None:
    """301 then 451: the status is 451, and its URL is the deciding one."""
    looked = measurement(
        "m",
        observations=(_dns(), _tcp(), _tls(), _http(status=301), _http("https://t.example/", 451)),
        reached=False,
    )
    summary = summarise(looked)
    assert (summary.http_status, summary.http_url) == (451, "https://t.example/")


def test_a_response_that_failed_has_no_status() -> None:
    """No response came, so there is no status to give, not a zero."""
    summary = _summary(_dns(), _tcp(), _tls(), _http(status=0, failure="eof_error"))
    assert (summary.http_failure, summary.http_status) == ("eof_error", None)


def test_our_own_proxy_failing_is_told_apart() -> None:
    """A failure on the way to our proxy says nothing about the endpoint's layers."""
    refused = EgressObservation(start=0, duration=0.1, failure="connection_refused")
    assert _summary(refused) == Summary(egress_failure="connection_refused")


@pytest.mark.parametrize("reached", [True, False])
def test_extra_looks_are_not_the_look(*, reached: bool) -> None:
    """What was tried in addition, for a reason, neither fails nor rescues the look."""
    seen = (_dns(), _tls(failure="connection_reset"), _tls(reason="innocuous_sni"))
    assert _summary(*seen, reached=reached).tls_failure == "connection_reset"


def test_the_deciding_handshake_is_the_one_summed_up() -> None:
    """The chain exported beside a TLS failure is the chain of that handshake."""
    looked = measurement(
        "m",
        observations=(_tls(), _http(status=301), _tls("t.example", "ssl_unknown_authority")),
        reached=False,
    )
    summary = summarise(looked)
    assert (summary.tls_chain_sha256, summary.tls_failure) == ("t.example", "ssl_unknown_authority")


@pytest.mark.parametrize("first", ["A", "AAAA"])
def test_an_empty_answer_does_not_stand_for_the_one_with_addresses(first: str) -> None:
    """The time of a lookup is that of the answer that was used, in whichever order they came."""
    empty = msgspec.structs.replace(_dns(rtype="AAAA"), answers=(), duration=0.018)
    told = msgspec.structs.replace(_dns(), duration=0.012)
    seen = (told, empty) if first == "A" else (empty, told)
    assert (_summary(*seen).dns_ms, _summary(empty).dns_ms) == (12.0, 18.0)
