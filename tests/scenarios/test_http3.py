"""HTTP/3 beside TCP, on real packets: QUIC alone blocked, TCP alone blocked, no UDP at all.

One network per story, all looked at in one run of `once --quic`. One of the two controls is not
behind a proxy, so that it can ask over UDP as well.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import UNHURRIED, Line, Seen, seen, write_config

pytestmark = pytest.mark.lab

YOUTUBE, X = "https://www.youtube.com/", "https://x.com/"
NETWORKS = ("open", "quic-name", "quic-address", "quic-everywhere", "no-udp", "tcp-only")
OK = ("ok", "endpoint.reached", "", "", "none")


def told(line: Line) -> tuple[str, ...]:
    """What a verdict says, in short."""
    return tuple(line[key] for key in ("state", "rule_id", "method", "sub_method", "evidence"))


def look(lab: Lab) -> Seen:
    """One cycle that asks over HTTP/3 wherever it is offered."""
    path = write_config(lab, platforms=["x", "youtube", "messenger"], probe=UNHURRIED)
    argv = ["shutwatch", "once", "--quic", "--config", str(path), "--json"]
    return seen(lab.run(argv, timeout=300))


class Story:
    """One look from every network, and what the far side saw of it."""

    def __init__(self, cycle: Seen, lab: Lab) -> None:
        self.cycle = cycle
        self._own = {
            name: {lab.network(name).source, lab.network(name).source6} for name in NETWORKS
        }
        self._own["direct-1"] = {lab.direct[0].address, lab.direct[0].address6}
        self._visits = {host: lab.internet.visits(host) for host in ("www.youtube.com", "x.com")}

    def over_quic(self, host: str, vantage: str) -> int:
        """How often a vantage's HTTP/3 handshakes with a host were completed."""
        return sum(
            visit["stage"] == "quic" and visit["peer"] in self._own[vantage]
            for visit in self._visits[host]
        )

    def not_ok(self, vantage: str) -> dict[str, tuple[str, ...]]:
        """Endpoint → verdict, of one vantage, where it is not ok."""
        return {
            line["endpoint"]: told(line)
            for line in self.cycle.lines
            if line["kind"] == "endpoint" and line["vantage"] == vantage and line["state"] != "ok"
        }


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """All stories in one run."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(NETWORKS)]
    with Lab(networks, controls=1, direct=1, quic=True) as lab:
        youtube: Any = {"address": ["www.youtube.com"], "transports": ["udp"]}
        rules = [
            lab.network("quic-name").block(quic=["www.youtube.com"], how="drop"),
            lab.network("quic-address").block(**youtube, how="icmp-port"),
            lab.network("quic-everywhere").block(udp=[443], how="drop"),
            lab.network("no-udp").block(udp=[443, 3478, 19302, 123], how="drop"),
            lab.network("tcp-only").block(sni=["x.com"], how="reset"),
        ]
        cycle = look(lab)
        hits = [rule.hits for rule in rules]
        assert all(hits), (hits, [line for line in cycle.lines if line["kind"] == "vantage"])
        yield Story(cycle, lab)


def test_nothing_blocked(story: Story) -> None:
    """Everything is asked over HTTP/3 too, answers, and nobody is accused."""
    assert story.not_ok("open") == {}
    assert story.over_quic("www.youtube.com", "open")
    assert story.over_quic("x.com", "open")


@pytest.mark.parametrize(
    ("network", "sub_method"), [("quic-name", "timeout"), ("quic-address", "refused")]
)
def test_quic_only(story: Story, network: str, sub_method: str) -> None:
    """QUIC by name or address is stopped, TCP is not: blocked by method quic, on strong evidence,
    since another site's HTTP/3 works from here and this one's from a control that can ask."""
    blocked = ("blocked", "quic.blocked", "quic", sub_method, "strong")
    assert told(story.cycle.endpoint(network, YOUTUBE)) == blocked
    # The same host, and nobody else.
    assert set(story.not_ok(network)) <= {YOUTUBE, f"{YOUTUBE}generate_204"}
    assert story.cycle.platform(network, "x")["state"] == "ok"
    assert story.cycle.platform(network, "youtube")["rule_id"] == "quic.blocked"
    assert not story.over_quic("www.youtube.com", network)
    assert story.over_quic("x.com", network)
    assert story.over_quic("www.youtube.com", "direct-1")


def test_quic_blocked_as_a_protocol_singles_no_platform_out(story: Story) -> None:
    """No datagram to port 443 gets out, whoever it is for, and calls do: STUN proves that UDP
    works, and not that anybody's QUIC does."""
    assert story.cycle.states("quic-everywhere") == {"x": "ok", "youtube": "ok", "messenger": "ok"}
    assert {
        line["rule_id"]
        for line in story.cycle.lines
        if line["kind"] == "endpoint" and line["vantage"] == "quic-everywhere"
    } == {"endpoint.reached", "quic.everywhere"}
    assert story.cycle.endpoint("quic-everywhere", X)["rule_id"] == "quic.everywhere"


def test_no_udp_at_all(story: Story) -> None:
    """A network that lets no datagrams out but DNS is none of the platforms' matter."""
    # Calls need UDP, and nobody's can be made.
    assert {rule for _, rule, *_ in story.not_ok("no-udp").values()} == {"vantage.no_udp"}
    states = story.cycle.states("no-udp")
    assert (states["x"], states["youtube"]) == ("ok", "ok")
    assert not story.over_quic("www.youtube.com", "no-udp")
    assert not story.over_quic("x.com", "no-udp")


def test_tcp_only(story: Story) -> None:
    """TLS over TCP is reset and HTTP/3 works: blocked by what stops TCP, and by nothing else."""
    verdict = ("blocked", "tls.reset", "tls", "reset", "conclusive")
    assert told(story.cycle.endpoint("tcp-only", X)) == verdict
    # It was asked for, and came through: not one endpoint is accused over QUIC.
    assert story.over_quic("x.com", "tcp-only")
    assert {rule for _, rule, *_ in story.not_ok("tcp-only").values()} == {"tls.reset"}


def test_quic_only_and_no_control_that_could_ask() -> None:
    """Behind a proxy a control sees no UDP: it says so, and without a witness nobody is accused."""
    with Lab([LabNetwork("ptcl", 17557)], controls=1, quic=True) as lab:
        rule = lab.network("ptcl").block(quic=["www.youtube.com"], how="drop")
        cycle = look(lab)
        # Two endpoints of that host, two families, and not asked again: nothing could come of it.
        assert 0 < rule.hits <= 4
    assert told(cycle.endpoint("ptcl", YOUTUBE)) == OK
    assert cycle.states("ptcl") == {"x": "ok", "youtube": "ok", "messenger": "ok"}
    assert cycle.vantage("control-1")["state"] == "ok"
