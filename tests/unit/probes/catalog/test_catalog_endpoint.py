"""Endpoints and hosts as operators write them."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint, parse_host, split_host_port


@pytest.mark.parametrize(
    ("written", "identity"),
    [
        ("https://x.com", "https://x.com/"),
        ("https://x.com/", "https://x.com/"),
        ("https://X.com:443/", "https://x.com/"),
        ("https://x.com:8443/a?b=c&d", "https://x.com:8443/a?b=c&d"),
        ("https://x.com?b=c", "https://x.com/?b=c"),
        ("http://captive.example/hotspot.html", "http://captive.example/hotspot.html"),
        ("https://x.com/ü", "https://x.com/%C3%BC"),
        ("https://x.com/%C3%BC", "https://x.com/%C3%BC"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://پاکستان.example/", "https://xn--mgbai9azgqp6j.example/"),
        ("https://Straße.example/", "https://xn--strae-oqa.example/"),
        ("https://r1---sn-abc.googlevideo.com/", "https://r1---sn-abc.googlevideo.com/"),
        ("https://x.com./", "https://x.com/"),
        ("tls://x.com", "tls://x.com:443"),
        ("tls://x.com:993", "tls://x.com:993"),
        ("tcp://149.154.175.50:5222", "tcp://149.154.175.50:5222"),
        ("tcp://[2001:67C:4E8:F002::A]:443", "tcp://[2001:67c:4e8:f002::a]:443"),
        ("https://[2001:db8:0::1]/", "https://[2001:db8::1]/"),
        ("dns:stun.fbsbx.com", "dns:stun.fbsbx.com"),
        ("stun:stun.fbsbx.com", "stun:stun.fbsbx.com:3478"),
        ("stun://stun.fbsbx.com:3479", "stun:stun.fbsbx.com:3479"),
        ("stun:[2001:db8:0::7]", "stun:[2001:db8::7]:3478"),
        ("dns:bücher.example", "dns:xn--bcher-kva.example"),
    ],
)
def test_an_endpoint_is_kept_in_its_canonical_form(written: str, identity: str) -> None:
    """Case, default ports, other scripts and IPv6 each have one canonical spelling."""
    assert parse_endpoint(written).id == identity
    assert parse_endpoint(identity).id == identity


def test_an_endpoint_expects_nothing_by_itself() -> None:
    """Any answer of a verified server counts, unless the catalogue states another."""
    assert parse_endpoint("https://x.com/") == Endpoint(
        kind=EndpointKind.HTTPS, host="x.com", port=443
    )
    assert parse_endpoint("dns:x.com").port == 0


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("", "say how to reach it"),
        ("x.com", "say how to reach it"),
        ("x.com:443", "say how to reach it"),
        ("ftp://x.com/", "say how to reach it"),
        ("HTTPS://x.com/", "say how to reach it"),
        ("https://", "is missing"),
        ("https:///path", "is missing"),
        ("tcp://x.com", "add a port"),
        ("tcp://x.com:", "a port number"),
        ("tcp://x.com:0", "a port from 1 to 65535"),
        ("tcp://x.com:65536", "a port from 1 to 65535"),
        ("tcp://x.com:443/path", "only a host and a port"),
        ("tls://x.com/path", "only a host and a port"),
        ("stun:x.com/path", "only a host and a port: stun:host:port"),
        ("stun:", "is missing"),
        ("https://user:pass@x.com/", "without a user name"),
        ("https://x.com/#part", "without #"),
        ("https://x .com/", "without spaces"),
        ("https://x.com/a b", "without spaces"),
        ("https://-x.com/", "letters, digits, dashes and dots"),
        ("https://x..com/", "letters, digits, dashes and dots"),
        ("https://" + "a" * 64 + ".com/", "letters, digits, dashes and dots"),
        ("https://" + "a." * 130 + "com/", "letters, digits, dashes and dots"),
        ("https://1.2.3/", "four numbers"),
        ("https://256.1.1.1/", "four numbers"),
        ("https://[::1/", "brackets"),
        ("https://[example]/", "brackets"),
        ("tcp://2001:db8::1", "brackets"),
        ("tcp://[fe80::1%25eth0]:443", "without %"),
        ("https://☃︎.\u2fff/", "that DNS allows"),
        ("dns:192.0.2.1", "a name to look up"),
        ("dns:", "is missing"),
    ],
)
def test_what_cannot_be_reached_is_refused_with_a_remedy(written: str, remedy: str) -> None:
    """Each error message says what to write instead."""
    with pytest.raises(ValueError, match=re.escape(remedy)):
        parse_endpoint(written)


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("h.example", "h.example", 53),
        ("h.example:1", "h.example", 1),
        ("192.0.2.1:5353", "192.0.2.1", 5353),
        ("[2001:db8::1]", "2001:db8::1", 53),
        ("[2001:db8::1]:5353", "2001:db8::1", 5353),
    ],
)
def test_host_and_port_are_parted(written: str, host: str, port: int) -> None:
    """The default port is used where none is given."""
    assert split_host_port(written, 53) == (host, port)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(), st.text("abc.:/[]@%#?-1ü ").map(lambda rest: f"https://{rest}")))
def test_any_text_is_an_endpoint_or_refused(written: str) -> None:
    """Any text is refused with ValueError or parsed, and a parsed one reads back as itself."""
    try:
        endpoint = parse_endpoint(written)
    except ValueError as error:
        assert type(error) is ValueError  # noqa: PT017 - a library's own kind would say too much
        return
    assert parse_endpoint(endpoint.id) == endpoint
    assert parse_host(endpoint.host) == endpoint.host
