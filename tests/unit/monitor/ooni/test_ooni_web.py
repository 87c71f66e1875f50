"""web_connectivity becomes a look, a control look, and follow-ups where the test did more."""

import pytest

from monitor.analysis.verdict import State, VantageState, Verdict
from probes.measurement import (
    DnsObservation,
    HttpObservation,
    Layer,
    Purpose,
    TcpObservation,
    TlsObservation,
)
from tests.worlds.ooni_reports import (
    BOGON,
    V4,
    V4_HELPER,
    V6,
    Entry,
    connect,
    control,
    handshake,
    imported,
    judged,
    query,
    request,
    web,
)

URL = "https://x.com/"


def _verdict(entry: Entry) -> Verdict:
    (verdict,) = judged(entry).verdicts
    return verdict


def _healthy() -> Entry:
    return web(
        URL,
        queries=[query("x.com", V4), query("x.com", V6, kind="AAAA")],
        tcp_connect=[connect(V4), connect(V6)],
        tls_handshakes=[handshake("x.com", V4), handshake("x.com", V6)],
        requests=[request(URL, ip=V4)],
        control=control(V4, V6),
    )


def test_healthy_look_has_every_layer_and_its_times() -> None:
    """`t0` is the start and `t - t0` the duration, counted from where the look began."""
    (look,) = imported(_healthy()).measurements
    assert look.reached
    assert (look.platform, look.function, look.endpoint) == ("x", "web", URL)
    assert (look.vantage, look.country, look.asn, look.network) == (
        "ooni-pk-as17557",
        "PK",
        17557,
        "PTCL",
    )
    assert look.started_at.isoformat() == "2024-02-17T12:00:00.050000+00:00"
    spans = {type(o): (round(o.start, 3), round(o.duration, 3)) for o in look.observations}
    assert spans == {
        DnsObservation: (0.0, 0.05),
        TcpObservation: (0.15, 0.1),
        TlsObservation: (0.3, 0.15),
        HttpObservation: (0.55, 0.3),
    }
    assert _verdict(_healthy()).state is State.OK


def test_control_looks_after_the_failure_and_is_named() -> None:
    """The helper's look is dated at the end of the vantage's, from a control vantage."""
    both = imported(_healthy())
    (look,), (helper,) = both.measurements, both.controls
    assert helper.started_at.timestamp() >= look.ended_at
    assert (helper.look, helper.vantage_role, helper.reached) == (Purpose.CONTROL, "control", True)
    assert both.health.state is VantageState.OK


@pytest.mark.parametrize(
    ("failure", "rule"),
    [
        ("connection_reset", "tls.reset"),
        ("eof_error", "tls.eof"),
        ("ssl_unknown_authority", "tls.certificate"),
    ],
)
def test_handshake_cut_here_and_fine_at_the_helper_is_blocked(failure: str, rule: str) -> None:
    """What something on the path did to TLS accuses, weakly, once the helper got through."""
    entry = web(
        URL,
        queries=[query("x.com", V4)],
        tcp_connect=[connect(V4)],
        tls_handshakes=[handshake("x.com", V4, failure)],
        requests=[request(URL, failure=failure)],
        control=control(V4),
    )
    verdict = _verdict(entry)
    assert (verdict.state, verdict.rule_id, verdict.evidence) == (State.BLOCKED, rule, "weak")
    (look,) = imported(entry).measurements
    assert not look.of(Layer.HTTP), "no request was made without a connection"


def test_one_timeout_accuses_nobody() -> None:
    """A single silence may be loss, whatever the helper saw."""
    entry = web(
        URL,
        queries=[query("x.com", V4)],
        tcp_connect=[connect(V4, failure="generic_timeout_error", t=10.0)],
        tls_handshakes=[],
        requests=[request(URL, failure="generic_timeout_error", t=10.0)],
        control=control(V4),
    )
    assert _verdict(entry).rule_id == "loss.possible"


def test_name_that_fails_here_only() -> None:
    """NXDOMAIN at the vantage's resolver and addresses at the helper: DNS blocks it."""
    entry = web(
        URL,
        queries=[query("x.com", failure="dns_nxdomain_error")],
        requests=[request(URL, failure="dns_nxdomain_error")],
        control=control(V4),
    )
    assert _verdict(entry).rule_id == "dns.nxdomain"


def test_failing_on_both_sides_is_down() -> None:
    """The helper's own failure clears the network."""
    entry = web(
        URL,
        queries=[query("x.com", failure="dns_nxdomain_error")],
        requests=[request(URL, failure="dns_nxdomain_error")],
        control=control(failure="dns_nxdomain_error"),
    )
    assert (_verdict(entry).state, _verdict(entry).rule_id) == (State.DOWN, "control.also_fails")


def test_certificate_that_fails_on_both_sides_is_down() -> None:
    """The helper lists no handshake that failed, only a request: that is still its failure."""
    entry = web(
        URL,
        queries=[query("x.com", V4)],
        tcp_connect=[connect(V4)],
        tls_handshakes=[handshake("x.com", V4, "ssl_unknown_authority")],
        requests=[request(URL, failure="ssl_unknown_authority")],
        control=control(V4, failure="ssl_unknown_authority", tls=False),
    )
    assert _verdict(entry).state is State.DOWN


@pytest.mark.parametrize("keys", [{"control": {}}, {"control": None}, {}])
def test_without_a_helper_nobody_is_accused(keys: Entry) -> None:
    """No control and no witness: insufficient, and never ok."""
    entry = web(
        URL,
        queries=[query("x.com", V4)],
        tcp_connect=[connect(V4)],
        tls_handshakes=[handshake("x.com", V4, "connection_reset")],
        requests=[request(URL, failure="connection_reset")],
        **keys,
    )
    entry["test_keys"]["control_failure"] = "unknown_failure: json parse error"
    assert (_verdict(entry).state, _verdict(entry).rule_id) == (
        State.INSUFFICIENT,
        "vantage.no_references",
    )


# -- what version 0.5 does beyond a browser's look -------------------------------------------


def _hijacked() -> Entry:
    """The resolver lies; the address the helper gave verifies, and OONI fetched the page there."""
    lie = "104.16.66.66"
    return web(
        URL,
        queries=[
            query("x.com", lie),
            query("x.com", V4_HELPER, engine="udp", resolver="8.8.8.8:53"),
            query("x.com", V4_HELPER, engine="doh", resolver="https://dns.google/dns-query"),
        ],
        tcp_connect=[connect(lie), connect(V4_HELPER)],
        tls_handshakes=[
            handshake("x.com", lie, "ssl_invalid_hostname"),
            handshake("x.com", V4_HELPER),
        ],
        requests=[
            request(URL, ip=V4_HELPER, tags=["depth=0", "fetch_body=true"]),
            request(URL, failure="ssl_invalid_hostname", ip=lie, tags=["fetch_body=false"]),
        ],
        control=control(V4_HELPER),
    )


def test_reached_only_at_the_helpers_address_is_not_reached() -> None:
    """A page fetched where no application would have gone does not make it reachable."""
    (look,) = imported(_hijacked()).measurements
    assert not look.reached
    assert all(not o.reason for o in look.observations)
    verdict = _verdict(_hijacked())
    assert (verdict.state, verdict.rule_id) == (State.BLOCKED, "dns.hijack")


def test_what_the_test_does_beyond_the_look_becomes_follow_ups() -> None:
    """Other resolvers and other addresses are kept apart, each with its reason, made later."""
    both = imported(_hijacked())
    (look,), (follow_up,) = both.measurements, both.follow_ups
    assert follow_up.look is Purpose.FOLLOW_UP
    assert follow_up.started_at.timestamp() >= look.ended_at
    reasons = {(type(o), o.reason) for o in follow_up.observations}
    assert reasons == {
        (DnsObservation, "open_resolver"),
        (DnsObservation, "doh"),
        (TcpObservation, "honest_address"),
        (TlsObservation, "honest_address"),
        (HttpObservation, "honest_address"),
    }


def test_page_of_a_name_that_did_not_resolve_came_from_elsewhere() -> None:
    """The system's resolver failed, so the page was fetched at an address from another source."""
    entry = web(
        URL,
        queries=[query("x.com", failure="dns_nxdomain_error")],
        tcp_connect=[connect(V4_HELPER)],
        tls_handshakes=[handshake("x.com", V4_HELPER)],
        requests=[request(URL)],
        control=control(V4_HELPER),
    )
    (look,) = imported(entry).measurements
    assert not look.reached
    assert _verdict(entry).rule_id == "dns.nxdomain"


def test_bogon_is_dialled_by_oonis_probe_and_not_by_ours() -> None:
    """A block page at an address nobody can have is a failure of DNS, whatever it serves."""
    entry = web(
        URL,
        queries=[query("x.com", BOGON)],
        tcp_connect=[connect(BOGON)],
        tls_handshakes=[handshake("x.com", BOGON, "ssl_invalid_hostname")],
        requests=[request(URL, failure="ssl_invalid_hostname", ip=BOGON)],
        control=control(V4),
    )
    verdict = _verdict(entry)
    assert (verdict.rule_id, verdict.evidence) == ("dns.bogon", "strong")
    (look,) = imported(entry).measurements
    assert {o.reason for o in look.observations[1:]} == {"bogon_dialled"}


def test_missing_aaaa_is_no_failure() -> None:
    """A name need not have addresses of both families."""
    entry = _healthy()
    entry["test_keys"]["queries"][1] = query("x.com", failure="dns_no_answer", kind="AAAA")
    (look,) = imported(entry).measurements
    assert all(o.failure is None for o in look.of(Layer.DNS))


# -- cleartext and redirects -----------------------------------------------------------------


def _cleartext(
    *pages: Entry, helper: Entry | None = None, url: str = "http://example.com/"
) -> Entry:
    return web(
        url,
        queries=[query("example.com", V4)],
        tcp_connect=[connect(V4, 80)],
        requests=list(reversed(pages)),
        control=control(V4) if helper is None else helper,
    )


def test_cleartext_page_like_the_helpers_is_ok() -> None:
    """Anyone could have written it, but the helper was shown the same."""
    verdict = _verdict(_cleartext(request("http://example.com/")))
    assert (verdict.platform, verdict.rule_id) == ("site:example.com", "http.same_as_control")


def test_other_cleartext_page_is_a_block_page() -> None:
    """Another title, length and headers than the helper was shown."""
    page = request("http://example.com/", body="<title>Forbidden</title>" + "x" * 5000)
    assert _verdict(_cleartext(page)).rule_id == "http.blockpage"


def test_redirect_that_the_helper_must_have_followed_is_no_block() -> None:
    """A site that moved leads both to another domain: the last pages are alike."""
    moved = request(
        "http://example.com/", 301, headers=[["Location", "http://example.net/new"]], t=0.6
    )
    entry = _cleartext(moved, request("http://example.net/new", t=1.2))
    assert _verdict(entry).rule_id == "http.same_as_control"


def test_redirect_that_the_helper_did_not_follow_is_a_block_page() -> None:
    """The same redirect with another page at its end than the helper was shown."""
    led = request(
        "http://example.com/", 302, headers=[["Location", "http://blocked.example.net/"]], t=0.6
    )
    notice = request("http://blocked.example.net/", body="<h1>Forbidden</h1>" * 500, t=1.2)
    assert _verdict(_cleartext(led, notice)).rule_id == "http.blockpage"


def test_requests_are_listed_newest_first() -> None:
    """Without any times the order of the list tells the hops."""
    moved = request("http://example.com/", 301, headers=[["Location", "/a"]], t=None)
    entry = _cleartext(moved, request("http://example.com/a", t=None))
    (look,) = imported(entry).measurements
    assert [o.url for o in look.of(Layer.HTTP) if isinstance(o, HttpObservation)] == [
        "http://example.com/",
        "http://example.com/a",
    ]


@pytest.mark.parametrize(
    ("failure", "layer"),
    [
        ("dns_nxdomain_error", Layer.DNS),
        ("connection_refused", Layer.TCP),
        ("ssl_invalid_hostname", Layer.TLS),
        ("connection_reset", Layer.HTTP),
    ],
)
def test_failure_after_a_redirect_names_its_layer(failure: str, layer: Layer) -> None:
    """Older engines list only the request of a later hop, so its failure tells how far it got."""
    moved = request(
        "http://example.com/", 301, headers=[["Location", "https://www.example.com/"]], t=0.6
    )
    entry = _cleartext(moved, request("https://www.example.com/", failure=failure, t=1.2))
    (look,) = imported(entry).measurements
    assert [o.failure for o in look.of(layer)][-1] == failure
    assert not look.reached


def test_tries_at_the_same_url_are_one() -> None:
    """Of several failed tries the newest stays."""
    tries = [request("http://example.com/", failure="response_never_received", t=None)] * 3
    (look,) = imported(_cleartext(*tries)).measurements
    assert [o.failure for o in look.of(Layer.HTTP)] == ["eof_error"]


def test_legal_reasons_are_no_success() -> None:
    """Status 451 over TLS is not reached, here as in a live look."""
    entry = _healthy()
    entry["test_keys"]["requests"] = [request(URL, 451, ip=V4)]
    assert _verdict(entry).rule_id == "http.withheld"


# -- which platform ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "platform", "function"),
    [
        ("https://twitter.com/", "x", "web"),
        ("https://www.x.com/", "x", "web"),
        ("http://www.facebook.com/", "facebook", "web"),
        ("https://t.me/", "telegram", "links"),
        ("https://telegram.org/", "telegram", "links"),
        ("https://signal.org/", "site:signal.org", "web"),
        ("https://пример.example/", "site:xn--e1afmkfd.example", "web"),
    ],
)
def test_platform_is_the_one_that_has_the_host(url: str, platform: str, function: str) -> None:
    """With or without `www.`, over either scheme; anything else is a site by itself."""
    (look,) = imported(web(url, control={})).measurements
    assert (look.platform, look.function) == (platform, function)


def test_nothing_seen_is_insufficient() -> None:
    """A report without a single entry says nothing, and least of all ok."""
    assert _verdict(web(URL, control={})).state is State.INSUFFICIENT


@pytest.mark.parametrize("annotations", [{"network_type": "vpn"}, {"network_type": "VPN"}])
@pytest.mark.parametrize("failure", [None, "connection_reset"])
def test_over_a_vpn_nothing_is_known_of_the_network(
    annotations: Entry, failure: str | None
) -> None:
    """It is where the VPN ends, which may filter by itself: neither blocked there nor open."""
    entry = web(
        URL,
        queries=[query("x.com", V4)],
        tcp_connect=[connect(V4)],
        tls_handshakes=[handshake("x.com", V4, failure)],
        requests=[request(URL, failure=failure, ip=V4)],
        control=control(V4),
    )
    usual = State.BLOCKED if failure else State.OK
    others: tuple[object, ...] = ({"network_type": "wifi"}, {"network_type": None}, [], None)
    for known in others:
        assert _verdict({**entry, "annotations": known}).state is usual
    verdict = _verdict({**entry, "annotations": annotations})
    assert (verdict.state, verdict.rule_id) == (State.INSUFFICIENT, "vantage.other_network")
