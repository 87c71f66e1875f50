"""IPv6 addresses made from IPv4 addresses: recognised, and made the same way."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest

from probes.layers.bogon import BogonList
from probes.layers.nat64 import Nat64, learn

EXAMPLES = [
    ("2001:db8::/32", "2001:db8:c000:221::"),
    ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
    ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
    ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
    ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
    ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
    ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
]
"""The examples of RFC 6052 section 2.4, which all hold 192.0.2.33."""


@pytest.mark.parametrize(("prefix", "address"), EXAMPLES)
def test_the_examples_of_the_rfc_both_ways(prefix: str, address: str) -> None:
    """An address survives the round trip through every standard prefix length."""
    nat64 = Nat64((IPv6Network(prefix),), alone=True)
    assert nat64.original(IPv6Address(address)) == IPv4Address("192.0.2.33")
    assert nat64.dialled(("192.0.2.33",)) == (str(IPv6Address(address)),)


@pytest.mark.parametrize(("prefix", "_"), EXAMPLES)
def test_the_prefix_is_learnt_from_the_name_that_has_ipv4_alone(prefix: str, _: str) -> None:
    """The prefix is learnt from either well-known address, and listed once."""
    nat64 = Nat64((IPv6Network(prefix),), alone=True)
    made_up = [nat64.dialled((known,))[0] for known in ("192.0.0.170", "192.0.0.171")]
    assert learn(made_up) == (IPv6Network(prefix),)


@pytest.mark.parametrize(
    "answers", [(), ("192.0.0.170",), ("2001:db8::1",), ("64:ff9b::192.0.0.172",)]
)
def test_other_answers_teach_nothing(answers: tuple[str, ...]) -> None:
    """No prefix is learnt without IPv6, or from an address that holds no well-known one."""
    assert learn(answers) == ()


def test_only_what_has_no_ipv6_is_translated_and_only_where_there_is_no_ipv4() -> None:
    """Addresses are not translated where the vantage or the endpoint has both families."""
    prefix = IPv6Network("64:ff9b::/96")
    alone = Nat64((prefix,), alone=True)
    assert alone.dialled(("192.0.2.1", "2001:db8::1")) == ("192.0.2.1", "2001:db8::1")
    assert Nat64((prefix,)).dialled(("192.0.2.1",)) == ("192.0.2.1",)
    assert Nat64(alone=True).dialled(("192.0.2.1",)) == ("192.0.2.1",)


def test_a_made_up_address_is_a_bogon_when_the_one_in_it_is() -> None:
    """A local prefix makes no bogon; a bogon behind the prefix stays one."""
    local = Nat64((IPv6Network("64:ff9b:1:fffe::/96"), IPv6Network("fd00:64::/96")))
    for prefix in ("64:ff9b:1:fffe::", "fd00:64::"):
        assert f"{prefix}8.8.8.8" not in BogonList((), local)
        assert f"{prefix}10.10.34.36" in BogonList((), local)
    assert "fd00:64::8.8.8.8" in BogonList()
    assert "64:ff9b::8.8.8.8" not in BogonList()
    assert "64:ff9b::10.10.34.36" in BogonList()
    assert "fd00::1" in BogonList((), local)
