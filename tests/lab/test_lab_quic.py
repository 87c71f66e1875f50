"""HTTP/3 in the lab: served like everything else, and blocked apart from TLS over TCP."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.hosts import Page, challenge
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.lab.quic_sniff import HelloReader
from tests.lab.sniff import MORE, OTHER

SHORT = 0.4
"""Seconds after which a look that must time out is given up."""


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    """One lab for the module, with QUIC and a control that has no proxy."""
    with Lab([LabNetwork("ptcl", 17557, "PK")], direct=1, quic=True) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """The same lab, as new."""
    yield running
    running.reset()


@pytest.fixture
def ptcl(lab: Lab) -> Network:
    """The censored network."""
    return lab.network("ptcl")


def h3(lab: Lab, host: str, *, sni: str = "", family: int = 4, **more: Any) -> dict[str, Any]:
    """An HTTP/3 request to a host's address."""
    details = {"port": 443, "path": "/", **more}
    return lab.look("h3", address=lab.internet.address(host, family), sni=sni or host, **details)


def tls(lab: Lab, host: str, **more: Any) -> dict[str, Any]:
    """The same over TCP."""
    details = {"port": 443, "sni": host, "path": "/", **more}
    return lab.look("tls", address=lab.internet.address(host), **details)


# --- servers --------------------------------------------------------------


@pytest.mark.lab
@pytest.mark.parametrize("host", ["x.com", "www.facebook.com", "www.youtube.com"])
@pytest.mark.parametrize("family", [4, 6])
def test_same_pages_over_http3(lab: Lab, host: str, family: int) -> None:
    """A platform's host serves the page it serves over TCP, and says there that it does."""
    over_tcp, over_quic = tls(lab, host), h3(lab, host, family=family)
    assert (over_quic["status"], over_quic["alpn"]) == (200, "h3")
    assert over_quic["body"] == over_tcp["body"]
    assert over_tcp["headers"]["Alt-Svc"].startswith('h3=":443"')
    stages = [(v["stage"], v.get("scheme", v.get("sni"))) for v in lab.internet.visits(host)]
    assert stages[-2:] == [("quic", host), ("http", "h3")]


@pytest.mark.lab
def test_not_everyone_speaks_http3(lab: Lab) -> None:
    """A host without QUIC says nothing of it, and its machine tells that nobody listens."""
    assert "Alt-Svc" not in tls(lab, "telegram.org")["headers"]
    seen = h3(lab, "telegram.org")
    assert (seen["stage"], seen["error"]) == ("quic", "ConnectionRefusedError")


@pytest.mark.lab
def test_large_objects_over_http3(lab: Lab) -> None:
    """An object for measuring speed comes whole over HTTP/3, with a browser's large ClientHello."""
    assert h3(lab, "x.com", path="/lab/bytes/400000", large=True)["size"] == 400_000


@pytest.mark.lab
def test_certificates_over_http3(lab: Lab) -> None:
    """An edge holds its owner's certificates over QUIC as well, and fails as it does over TCP."""
    assert h3(lab, "x.com", sni="t.co")["status"] == 200
    assert "0x12a" in h3(lab, "x.com", sni="www.example.com")["text"]
    assert h3(lab, "x.com", sni="www.example.com", verify=False)["status"] == 200
    lab.internet.strangers("x.com", "alert")
    assert "0x170" in h3(lab, "x.com", sni="www.example.com")["text"]
    for how, alert in (("expired", "0x12d"), ("unknown-authority", "0x12a")):
        lab.internet.certificate("x.com", how)
        assert alert in h3(lab, "x.com")["text"], how
    lab.internet.certificate("x.com")
    assert h3(lab, "x.com")["status"] == 200


@pytest.mark.lab
def test_http3_changes_with_the_host(lab: Lab) -> None:
    """Pages, delays and downs of a host hold for HTTP/3 too."""
    lab.internet.page("x.com", Page(status=451))
    assert h3(lab, "x.com")["status"] == 451
    lab.internet.page("x.com", challenge(), to="ptcl")
    seen = h3(lab, "x.com")
    assert (seen["status"], seen["headers"]["cf-mitigated"]) == (403, "challenge")
    lab.internet.delay("x.com", http=0.2)
    assert 0.2 <= h3(lab, "x.com")["seconds"] < 1
    for how, error in (("refuse", "ConnectionRefusedError"), ("silence", "TimeoutError")):
        lab.internet.down("x.com", how=how)
        assert h3(lab, "x.com", timeout=SHORT)["error"] == error
        lab.internet.up("x.com")
        assert h3(lab, "x.com")["status"] == 403


@pytest.mark.lab
def test_another_connection_from_the_same_port(lab: Lab, ptcl: Network) -> None:
    """A client that vanished leaves nothing that harms the next one from its port."""
    looks: dict[str, Any] = {"source_port": 40443, "source": ptcl.source}
    with ptcl.block(address=["x.com"], how="drop"):
        assert h3(lab, "x.com", timeout=SHORT, **looks)["error"] == "TimeoutError"
    lab.internet.delay("x.com", http=5)
    assert h3(lab, "x.com", timeout=SHORT, **looks)["error"] == "TimeoutError"
    lab.internet.delay("x.com")
    assert h3(lab, "x.com", **looks)["status"] == 200
    with ptcl.block(quic=["x.com"], how="drop"):
        assert h3(lab, "x.com", timeout=SHORT, **looks)["error"] == "TimeoutError"
    lab.reset()
    assert h3(lab, "x.com", **looks)["status"] == 200


# --- rules ----------------------------------------------------------------


@pytest.mark.lab
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("large", [False, True], ids=["one datagram", "two datagrams"])
def test_quic_by_server_name(lab: Lab, ptcl: Network, family: int, large: bool) -> None:
    """A blocked name is silence over QUIC alone, on its address other names answer."""
    with ptcl.block(quic=["x.com"], how="drop") as rule:
        seen = h3(lab, "x.com", family=family, large=large, timeout=SHORT)
        assert (seen["stage"], seen["error"]) == ("quic", "TimeoutError")
        assert rule.hits == 1
        assert h3(lab, "x.com", sni="t.co", family=family, large=large)["status"] == 200
        assert tls(lab, "x.com")["status"] == 200
        assert rule.hits == 1
    assert h3(lab, "x.com", family=family, large=large)["status"] == 200


@pytest.mark.lab
def test_tcp_blocked_and_quic_not(lab: Lab, ptcl: Network) -> None:
    """A name blocked in TLS over TCP, or an address for TCP alone, still answers over QUIC."""
    with ptcl.block(sni=["x.com"], how="reset"):
        assert tls(lab, "x.com")["error"] == "ConnectionResetError"
        assert h3(lab, "x.com")["status"] == 200
    with ptcl.block(address=["x.com"], how="drop", transports=["tcp"]):
        assert tls(lab, "x.com", timeout=SHORT)["error"] == "TimeoutError"
        assert h3(lab, "x.com")["status"] == 200


@pytest.mark.lab
def test_quic_blocked_and_tcp_not(lab: Lab, ptcl: Network) -> None:
    """All of UDP port 443, or one address for UDP alone, can vanish while TCP works."""
    with ptcl.block(udp=[443], how="drop"):
        assert h3(lab, "x.com", timeout=SHORT)["error"] == "TimeoutError"
        assert tls(lab, "x.com")["status"] == 200
    with ptcl.block(address=["x.com"], how="drop", transports=["udp"]):
        assert h3(lab, "x.com", timeout=SHORT)["error"] == "TimeoutError"
        assert tls(lab, "x.com")["status"] == 200
        assert h3(lab, "www.youtube.com")["status"] == 200


@pytest.mark.lab
@pytest.mark.parametrize(
    ("how", "over_quic", "over_tcp"),
    [
        ("drop", "TimeoutError", "TimeoutError"),
        ("icmp-host", "TimeoutError", "OSError"),
        ("icmp-admin", "OSError", "OSError"),
        ("icmp-port", "ConnectionRefusedError", "ConnectionRefusedError"),
    ],
)
def test_null_route_takes_both(
    lab: Lab, ptcl: Network, how: str, over_quic: str, over_tcp: str
) -> None:
    """A blocked address is blocked for datagrams too; the kernel spares them the softer ICMP."""
    with ptcl.block(address=["x.com"], how=how) as rule:
        assert h3(lab, "x.com", timeout=SHORT)["error"] == over_quic
        assert tls(lab, "x.com", timeout=SHORT)["error"] == over_tcp
        assert rule.hits == 2
    assert h3(lab, "x.com")["status"] == 200


@pytest.mark.lab
def test_throttled_address_over_quic(lab: Lab, ptcl: Network) -> None:
    """An address held to a rate is held to it over QUIC too."""
    with ptcl.throttle(address=["video.twimg.com"], kbit=512):
        slow = h3(lab, "video.twimg.com", path="/lab/bytes/60000", timeout=5)
    assert slow["size"] == 60000
    assert slow["size"] * 8 / slow["seconds"] / 1000 < 520


@pytest.mark.lab
@pytest.mark.parametrize("family", [4, 6])
def test_a_direct_control_is_not_censored(lab: Lab, ptcl: Network, family: int) -> None:
    """Its packets, datagrams too, go round the box, whatever happens there."""
    control = lab.direct[0]
    own, field = (control.address, ptcl.source) if family == 4 else (control.address6, ptcl.source6)
    with ptcl.cut():
        assert h3(lab, "x.com", family=family, source=own)["status"] == 200
        seen = h3(lab, "x.com", family=family, source=field, timeout=SHORT)
        assert seen["error"] == "TimeoutError"
    peers = [visit["peer"] for visit in lab.internet.visits("x.com")]
    assert set(peers) == {own}
    lab.internet.page("x.com", challenge(), to="controls")
    assert h3(lab, "x.com", family=family, source=own)["status"] == 403
    assert h3(lab, "x.com", family=family, source=field)["status"] == 200


# --- bytes ----------------------------------------------------------------


def datagrams(name: str, *, large: bool) -> list[bytes]:
    """What a QUIC client sends first."""
    quic = QuicConnection(
        configuration=QuicConfiguration(
            alpn_protocols=["h3"], server_name=name, quantum_readiness_test=large
        )
    )
    quic.connect(("198.18.0.1", 443), now=0.0)
    return [data for data, _ in quic.datagrams_to_send(now=0.0)]


def test_hello_in_datagrams_of_any_order() -> None:
    """A ClientHello of several datagrams names its server once all have come, in any order."""
    sent = datagrams("www.youtube.com", large=True)
    assert len(sent) > 1
    for order in itertools.permutations(sent):
        reader = HelloReader()
        told = [reader.feed(data) for data in order]
        assert told[-1] == ("quic", "www.youtube.com")
        assert set(told[:-1]) == {(MORE, "")}


def test_repeated_datagrams_change_nothing() -> None:
    """A datagram sent again adds nothing to what was read."""
    first, *rest = datagrams("x.com", large=True)
    reader = HelloReader()
    assert [reader.feed(first) for _ in range(3)] == [(MORE, "")] * 3
    assert [reader.feed(data) for data in rest][-1] == ("quic", "x.com")


@given(data=st.binary(max_size=1300))
def test_rubbish_is_no_hello(data: bytes) -> None:
    """Whatever arrives first, the reader gives up on it; it never fails."""
    assert HelloReader().feed(data) == (OTHER, "")


@given(at=st.integers(0, 1199), flip=st.integers(1, 255))
def test_damaged_datagram(at: int, flip: int) -> None:
    """A damaged datagram is given up or read for what it says, never for another name."""
    (sent,) = datagrams("x.com", large=False)
    damaged = sent[:at] + bytes([sent[at] ^ flip]) + sent[at + 1 :]
    assert HelloReader().feed(damaged) in ((OTHER, ""), ("quic", "x.com"))
