"""Which Alt-Svc headers offer HTTP/3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.layers.http_answer import offers_http3


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
    """An offer counts among any number of others, in any order."""
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
        pytest.param(f'h3=":{"4" * 5000}"', id="more digits than Python reads"),
        'quic=":443"; v="46,43"',
    ],
)
def test_no_offer(value: str) -> None:
    """Another protocol, a draft, another host or port, or an empty header is no offer."""
    assert not offers_http3(value, "x.com", 443)


def test_other_ports_and_addresses() -> None:
    """The offer must name the endpoint's port; an IPv6 address may be in brackets."""
    assert offers_http3('h3=":8443"', "x.com", 8443)
    assert offers_http3('h3="[2001:db8::1]:443"', "2001:db8::1", 443)


@given(st.text())
def test_any_header_can_be_read(value: str) -> None:
    """No header makes the parser raise."""
    assert offers_http3(value, "x.com", 443) in (True, False)
