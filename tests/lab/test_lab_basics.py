"""The lab stands: everything answers by every way, and three classic blocks look as they should."""

from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two networks in two countries and two controls."""
    networks = [LabNetwork("ptcl", 17557, "PK"), LabNetwork("vivo", 27699, "BR")]
    with Lab(networks, controls=2) as running:
        yield running


def test_reset_after_client_hello(lab: Lab) -> None:
    """A ClientHello that names a blocked host is answered by a reset, on that network alone."""
    address = lab.internet.address("x.com")
    here, there = lab.network("ptcl"), lab.network("vivo")
    with here.block(sni=["x.com"], how="reset") as rule:
        seen = lab.look("tls", address=address, port=443, sni="x.com", source=here.source)
        assert (seen["stage"], seen["error"], seen["errno"]) == ("tls", "ConnectionResetError", 104)
        assert rule.hits == 1
        other = lab.look("tls", address=address, port=443, sni="x.com", source=there.source)
        assert other["names"] == ["x.com"]
    again = lab.look("tls", address=address, port=443, sni="x.com", source=here.source)
    assert again["names"] == ["x.com"]


def test_nxdomain(lab: Lab) -> None:
    """The provider's resolver denies a blocked name, the open one does not."""
    here = lab.network("ptcl")
    with here.block(dns=["x.com"], how="nxdomain"):
        denied = lab.look("dns", server=here.resolver, name="x.com", source=here.source)
        assert denied["answers"][0]["rcode"] == 3
        told = lab.look("dns", server="8.8.8.8", name="x.com", source=here.source)
        assert lab.internet.address("x.com") in told["answers"][0]["addresses"]


def test_syn_dropped(lab: Lab) -> None:
    """Packets to a blocked address vanish: our own deadline passes, and no errno tells why."""
    here = lab.network("ptcl")
    with here.block(address=["x.com"], how="drop"):
        seen = lab.look(
            "tcp", address=lab.internet.address("x.com"), port=443, source=here.source, timeout=0.3
        )
        assert (seen["stage"], seen["error"], seen["errno"]) == ("tcp", "TimeoutError", None)
