"""Addresses that no public service can have."""

import pytest

from probes.layers.bogon import BogonList, is_fake


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.10.34.34",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.10",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "2001::4136:e378",
        "2001:db8::1",
        "fd00::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "2002:7f00:1::",
        "64:ff9b::169.254.169.254",
        "ff02::1",
    ],
)
def test_what_is_not_globally_routable_is_bogon(address: str) -> None:
    """Private, reserved, documentation, multicast and tunnel addresses are bogons."""
    assert address in BogonList()


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "104.244.42.1",
        "149.154.167.99",
        "::ffff:8.8.8.8",
        "2606:4700::1111",
        "64:ff9b::1.1.1.1",
        "2002:808:808::",
    ],
)
def test_public_addresses_are_not(address: str) -> None:
    """Public addresses, including those behind NAT64, are no bogons."""
    assert address not in BogonList()


@pytest.mark.parametrize(
    ("allowed", "address", "bogon"),
    [
        ("203.0.113.0/24", "203.0.113.10", False),
        ("203.0.113.0/24", "::ffff:203.0.113.10", False),
        ("203.0.113.0/24", "192.168.1.1", True),
        ("2001:db8::/32", "2001:db8::1", False),
        ("2001:db8::/32", "203.0.113.10", True),
        ("224.0.0.0/4", "224.0.0.1", False),
    ],
)
def test_an_operator_may_allow_networks(allowed: str, address: str, bogon: bool) -> None:
    """Networks that the operator allows are no bogons."""
    assert (address in BogonList([allowed])) is bogon


def test_nonsense_is_an_error() -> None:
    """A text that is no address raises ValueError."""
    with pytest.raises(ValueError, match="example"):
        assert "example" in BogonList()


@pytest.mark.parametrize(
    ("address", "fake"),
    [
        ("198.18.0.1", True),
        ("198.19.255.254", True),
        ("fc00::1:2", True),
        ("198.20.0.1", False),
        ("10.0.0.1", False),
        ("fd00::1", False),
        ("fe80::1%eth0", False),
        ("withheld", False),
        ("", False),
    ],
)
def test_fake_addresses_are_those_that_proxies_make_up(address: str, fake: bool) -> None:
    """Of the ranges that they ship with."""
    assert is_fake(address) is fake
