"""Situations that OONI's own quality checks of web_connectivity simulate, rebuilt in its format.

Each is written as both engines write it: `old` (0.4) asks for everything by the system's resolver
and lists the requests of a chain, the newest first, with the failure of the last; `new` (0.5) lists
queries, connections and handshakes of every hop, and a request only where there was a connection.
OONI's `blocking` says what failed; ours says whom it accuses.
"""

from collections.abc import Callable
from typing import Any

import pytest

from monitor.analysis.verdict import State
from tests.worlds.ooni_reports import (
    BOGON,
    V4,
    V4_HELPER,
    Entry,
    connect,
    control,
    handshake,
    judged,
    query,
    request,
    web,
)

OLD, NEW = "old", "new"
FIRST, SECOND = "twitter.com", "x.com"
FIRST_URL, SECOND_URL = f"https://{FIRST}/", f"https://{SECOND}/"
V4_SECOND = "104.16.3.3"
RESET, REFUSED, TIMEOUT = "connection_reset", "connection_refused", "generic_timeout_error"
EOF, NXDOMAIN = "eof_error", "dns_nxdomain_error"
BODY = ["fetch_body=true"]


def _led(engine: str, failure: str, *, layer: str, helper: Entry | None = None) -> Entry:
    """twitter.com leads to x.com, where `layer` fails."""
    moved = request(
        FIRST_URL,
        301,
        body="",
        headers=[["Location", SECOND_URL]],
        ip=V4,
        tags=BODY if engine == NEW else None,
        t=0.9 if engine == NEW else None,
    )
    keys: dict[str, Any] = {
        "queries": [query(FIRST, V4)],
        "tcp_connect": [connect(V4)],
        "tls_handshakes": [handshake(FIRST, V4)],
        "requests": [moved],
    }
    if engine == OLD:
        keys["requests"] = [request(SECOND_URL, failure=failure, t=None), moved]
    elif layer == "dns":
        keys["queries"].append(query(SECOND, failure=failure, t=1.1))
    else:
        tcp = failure if layer == "tcp" else None
        keys["queries"].append(query(SECOND, V4_SECOND, t=1.1))
        keys["tcp_connect"].append(connect(V4_SECOND, failure=tcp, t=1.3))
        if layer == "tls":
            keys["tls_handshakes"].append(handshake(SECOND, V4_SECOND, failure, t=1.5))
        if layer == "http":
            keys["tls_handshakes"].append(handshake(SECOND, V4_SECOND, t=1.5))
            last = request(SECOND_URL, failure=failure, ip=V4_SECOND, tags=BODY, t=1.9)
            keys["requests"] = [last, moved]
    return web(FIRST_URL, control=helper or control(V4), **keys)


def _once(
    host: str = SECOND,
    *,
    dns: str | None = None,
    found: str = V4,
    tcp: str | None = None,
    tls: str | None = None,
    http: str | None = None,
    helper: Entry | None = None,
    scheme: str = "https",
    page: Entry | None = None,
) -> Callable[[str], Entry]:
    """One URL, one address, and the first failure on the way to its page."""
    url = f"{scheme}://{host}/"
    port = 443 if scheme == "https" else 80

    def entry(engine: str) -> Entry:
        failure = dns or tcp or tls or http
        tags = BODY if engine == NEW else None
        keys: dict[str, Any] = {
            "queries": [query(host, failure=dns) if dns else query(host, found)],
            "tcp_connect": [] if dns else [connect(found, port, tcp)],
            "tls_handshakes": [],
            "requests": [],
        }
        if not dns and not tcp and scheme == "https":
            keys["tls_handshakes"] = [handshake(host, found, tls)]
        if engine == OLD or not (dns or tcp or tls):
            asked = page or request(url, failure=failure, ip=None if dns else found, tags=tags)
            keys["requests"] = [asked]
        return web(url, control=helper or control(V4), **keys)

    return entry


def _bad_certificate_for_all(failure: str) -> Entry:
    """The helper's answer where it saw the same bad certificate."""
    helper = control(V4, failure=failure)
    helper["tls_handshake"] = {
        f"{V4}:443": {"server_name": SECOND, "status": False, "failure": failure}
    }
    return helper


def _unhelped(engine: str) -> Entry:
    """Reset on the name, and no answer of the helper."""
    entry = _once(tls=RESET)(engine)
    entry["test_keys"]["control"] = None
    return entry


LED_TO_ITS_FAILURE = [
    (RESET, "tls", "tls.reset"),
    (EOF, "tls", "tls.eof"),
    (RESET, "http", "http.reset"),
    (REFUSED, "tcp", "tcp.refused"),
    (NXDOMAIN, "dns", "dns.nxdomain"),
]


@pytest.mark.parametrize("engine", [OLD, NEW])
@pytest.mark.parametrize(("failure", "layer", "rule"), LED_TO_ITS_FAILURE)
def test_what_fails_behind_a_redirect_is_blocked(
    engine: str, failure: str, layer: str, rule: str
) -> None:
    """x.com is blocked, and twitter.com, which leads there, is not: not ok, for the helper was led
    to the end."""
    (verdict,) = judged(_led(engine, failure, layer=layer)).verdicts
    assert verdict.state is State.BLOCKED
    expected = {rule} if engine == NEW else {rule, f"http.{rule.partition('.')[2]}"}
    assert verdict.rule_id in expected


@pytest.mark.parametrize("engine", [OLD, NEW])
def test_silence_behind_a_redirect_is_no_success(engine: str) -> None:
    """One timeout accuses nobody, and is not ok."""
    (verdict,) = judged(_led(engine, TIMEOUT, layer="tcp")).verdicts
    assert verdict.state is State.INSUFFICIENT


@pytest.mark.parametrize("engine", [OLD, NEW])
def test_what_fails_behind_a_redirect_for_the_helper_too_is_down(engine: str) -> None:
    """It was led to the same failure: nobody is accused."""
    helper = control(V4, failure=RESET)
    (verdict,) = judged(_led(engine, RESET, layer="tls", helper=helper)).verdicts
    assert verdict.state is not State.BLOCKED
    assert verdict.state is not State.OK


@pytest.mark.parametrize("engine", [OLD, NEW])
def test_a_chain_that_ends_in_a_redirect_is_not_ok(engine: str) -> None:
    """The location is broken, or nothing is known of where it leads: no page was seen."""
    for location in ("https:///", SECOND_URL):
        moved = request(
            FIRST_URL,
            301,
            body="",
            headers=[["Location", location]],
            ip=V4,
            tags=BODY if engine == NEW else None,
        )
        entry = web(
            FIRST_URL,
            queries=[query(FIRST, V4)],
            tcp_connect=[connect(V4)],
            tls_handshakes=[handshake(FIRST, V4)],
            requests=[moved],
            control=control(V4),
        )
        (verdict,) = judged(entry).verdicts
        assert verdict.state is State.INSUFFICIENT


BLOCKED = {
    "NXDOMAIN at home": _once(dns=NXDOMAIN),
    "a bogon": _once(found=BOGON, tcp=TIMEOUT),
    "refused": _once(tcp=REFUSED),
    "reset on the name": _once(tls=RESET),
    "a certificate for another name": _once(tls="ssl_invalid_hostname"),
    "reset on the request": _once(http=RESET, scheme="http"),
}
NOT_BLOCKED = {
    "Android says only that it has no data": _once(dns="android_dns_cache_no_data"),
    "a timeout": _once(tcp=TIMEOUT),
    "down for all: NXDOMAIN": _once(dns=NXDOMAIN, helper=control(failure=NXDOMAIN)),
    "down for all: refused": _once(tcp=REFUSED, helper=control(V4, failure=REFUSED)),
    "expired for all": _once(
        tls="ssl_invalid_certificate",
        helper=_bad_certificate_for_all("ssl_invalid_certificate"),
    ),
    "unknown authority for all": _once(
        tls="ssl_unknown_authority", helper=_bad_certificate_for_all("ssl_unknown_authority")
    ),
    "another name for all": _once(
        tls="ssl_invalid_hostname", helper=_bad_certificate_for_all("ssl_invalid_hostname")
    ),
    "another name for all, and the helper's page is not told": _once(
        tls="ssl_invalid_hostname",
        helper=_bad_certificate_for_all("ssl_invalid_hostname")
        | {"http_request": {"failure": "unknown_error", "status_code": -1}},
    ),
    "another name at this address for all, a page at another one": _once(
        tls="ssl_invalid_hostname",
        helper=control(V4, V4_HELPER)
        | {
            "tls_handshake": {
                f"{V4}:443": {"status": False, "failure": "ssl_invalid_hostname"},
                f"{V4_HELPER}:443": {"status": True, "failure": None},
            }
        },
    ),
    "localhost for all": _once(
        found="127.0.0.1", tcp=REFUSED, helper=control("127.0.0.1", failure=REFUSED)
    ),
    "localhost for all, and the helper's page is not told": _once(
        found="127.0.0.1",
        tcp=REFUSED,
        helper=control("127.0.0.1", failure="unknown_error", tls=False),
    ),
    "a CAPTCHA of its CDN for this network": _once(page=request(SECOND_URL, 403, ip=V4, tags=BODY)),
    "the helper is down": _unhelped,
}
FINE = {
    "a page": _once(),
    "addresses that differ and verify": _once(found=V4_HELPER),
    "IDN in Unicode": _once("пример.example"),
}


@pytest.mark.parametrize("engine", [OLD, NEW])
@pytest.mark.parametrize("case", BLOCKED)
def test_what_fails_here_alone_is_blocked(case: str, engine: str) -> None:
    """However weak: the helper got through."""
    (verdict,) = judged(BLOCKED[case](engine)).verdicts
    assert verdict.state is State.BLOCKED


@pytest.mark.parametrize("engine", [OLD, NEW])
@pytest.mark.parametrize("case", NOT_BLOCKED)
def test_what_fails_for_all_or_for_no_known_reason_accuses_nobody(case: str, engine: str) -> None:
    """And is not ok either."""
    (verdict,) = judged(NOT_BLOCKED[case](engine)).verdicts
    assert verdict.state in (State.DOWN, State.INSUFFICIENT)


@pytest.mark.parametrize("engine", [OLD, NEW])
@pytest.mark.parametrize("case", FINE)
def test_what_is_reached_is_ok(case: str, engine: str) -> None:
    """Over a verified connection, whatever the status."""
    (verdict,) = judged(FINE[case](engine)).verdicts
    assert verdict.state is State.OK


@pytest.mark.parametrize("engine", [OLD, NEW])
def test_names_in_unicode_are_looked_up_in_their_other_spelling(engine: str) -> None:
    """The URL is written in Unicode, in mixed case, and everything else in punycode: a reset is
    found in the handshake, not lost between the spellings."""
    spelled = "xn--e1afmkfd.example"
    entry = _once(spelled, tls=RESET)(engine)
    entry["input"] = "https://Пример.example/"
    for one in entry["test_keys"]["requests"]:
        one["request"]["url"] = "https://Пример.example/"
    (verdict,) = judged(entry).verdicts
    assert (verdict.state, verdict.rule_id) == (State.BLOCKED, "tls.reset")
