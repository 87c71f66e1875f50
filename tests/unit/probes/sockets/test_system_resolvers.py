"""The resolvers of a machine, read from its files."""

from pathlib import Path

import pytest

from probes.sockets.system_resolvers import ResolverAddress, system_resolvers


def resolvers(
    tmp_path: Path, configured: str, upstream: str | None = None
) -> list[tuple[str, bool]]:
    """Address and stub mark of each resolver, for these files."""
    resolv, behind = tmp_path / "resolv.conf", tmp_path / "upstream.conf"
    resolv.write_text(configured)
    if upstream is not None:
        behind.write_text(upstream)
    return [(one.address, one.stub) for one in system_resolvers(resolv, behind)]


def test_resolvers_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Comments, options and invalid lines are skipped, and the order is kept."""
    text = (
        "# written by hand\n; nameserver 192.0.2.1\nsearch isp.example\noptions edns0\n"
        "nameserver 192.0.2.53\nnameserver\nnameserver not-an-address\n"
        "  nameserver\t2001:db8::53 # second\nnameserver fe80::1%eth0\n"
    )
    assert resolvers(tmp_path, text) == [
        ("192.0.2.53", False),
        ("2001:db8::53", False),
        ("fe80::1%eth0", False),
    ]


@pytest.mark.parametrize("stub", ["127.0.0.53", "127.0.0.11", "::1"])
def test_a_stub_gives_way_to_the_resolvers_behind_it(tmp_path: Path, stub: str) -> None:
    """The servers behind a stub are used instead of it, where they are listed."""
    upstream = "nameserver 192.0.2.53\nnameserver 127.0.0.1\n"
    assert resolvers(tmp_path, f"nameserver {stub}\n", upstream) == [("192.0.2.53", False)]


@pytest.mark.parametrize("upstream", [None, "", "nameserver 127.0.0.1\n"])
def test_a_stub_is_asked_and_marked_when_nothing_is_known_behind_it(
    tmp_path: Path, upstream: str | None
) -> None:
    """A stub is used and marked where nothing else is listed."""
    assert resolvers(tmp_path, "nameserver 127.0.0.53\n", upstream) == [("127.0.0.53", True)]


def test_a_stub_beside_real_resolvers_keeps_its_place(tmp_path: Path) -> None:
    """The configured order is kept where it has more than stubs."""
    text = "nameserver 127.0.0.1\nnameserver 192.0.2.53\n"
    found = resolvers(tmp_path, text, "nameserver 192.0.2.99\n")
    assert found == [("127.0.0.1", True), ("192.0.2.53", False)]


def test_no_file_means_no_resolver(tmp_path: Path) -> None:
    """Without the file there is no resolver and no error."""
    assert system_resolvers(tmp_path / "none", tmp_path / "neither") == ()


def test_bytes_that_are_no_text_do_not_matter(tmp_path: Path) -> None:
    """The valid lines of a damaged file are used."""
    resolv = tmp_path / "resolv.conf"
    resolv.write_bytes(b"\xff\xfe\nnameserver 192.0.2.53\n")
    assert [one.address for one in system_resolvers(resolv, tmp_path / "none")] == ["192.0.2.53"]


@pytest.mark.parametrize(
    ("address", "port", "label"),
    [("192.0.2.53", 53, "192.0.2.53:53"), ("2001:db8::53", 5353, "[2001:db8::53]:5353")],
)
def test_a_resolver_is_labelled_with_its_port(address: str, port: int, label: str) -> None:
    """The label is address and port, with brackets for IPv6."""
    assert ResolverAddress(address=address, port=port).label == label
