"""What counts as an offer of HTTP/3, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.layers.alt_svc import offers_http3


@pytest.mark.parametrize(
    "value",
    [
        'h3=":443"; ma=86400',
        'h3=":443"; ma=2592000,h3-29=":443"; ma=2592000',
        'h2=":443", h3=":443"; persist=1',
        'h3="x.com:443"',
        'h3="alt.x.com:443", h3=":443"',
    ],
)
def test_offers_of_the_same_host_and_port(value: str) -> None:
    """However many there are, and in whatever order."""
    assert offers_http3(value, "x.com", 443)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "clear",
        'h3-29=":443"',
        'h2=":443"; ma=3600',
        'h3=":8443"',
        'h3="alt.x.com:443"',
        "h3=:443",
        'h3=""',
        'quic=":443"; v="46,43"',
    ],
)
def test_no_offer(value: str) -> None:
    """Another protocol, a draft, another host or port, or nothing at all."""
    assert not offers_http3(value, "x.com", 443)


def test_other_ports_and_addresses() -> None:
    """The port is the endpoint's, and an address may stand in brackets."""
    assert offers_http3('h3=":8443"', "x.com", 8443)
    assert offers_http3('h3="[2001:db8::1]:443"', "2001:db8::1", 443)


@given(st.text())
def test_any_header_can_be_read(value: str) -> None:
    """Whatever a server sends, it is an offer or none."""
    assert offers_http3(value, "x.com", 443) in (True, False)
