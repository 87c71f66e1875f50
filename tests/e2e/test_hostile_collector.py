"""A collector that was seized, with its real keys, over real packets: whatever it orders and
whatever it says its controls saw, no packet leaves the agent for anywhere but what it ships."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from monitor.config.catalog import shipped_catalog
from monitor.wire.answers import AgentSettings
from tests.e2e.agents import PORT, ROOT, Handing, agent, collecting, prepare
from tests.e2e.running import wait_for
from tests.lab.addresses import OPEN_RESOLVERS
from tests.lab.hosts import LabHost
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

VICTIM = LabHost(name="victim.example", ports=(443, 80, 8443))
NEIGHBOUR = "192.168.77.1"


def orders(victim: str) -> str:
    """A catalogue that leads a shipped platform, under its own name, and new ones elsewhere."""
    inside = [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        f"http://{NEIGHBOUR}/",
        f"tcp://{NEIGHBOUR}:22",
        "tcp://127.0.0.1:445",
        "tcp://[::1]:22",
    ]
    platforms = {
        "x": ["https://victim.example/", *inside],
        "telegram": [f"https://{victim}/"],
        "ours": ["https://victim.example:8443/", "stun:victim.example:3478"],
        "scan": [f"tcp://{victim}:{port}" for port in range(1, 401)],
    }
    text = '[references]\ninternational = ["https://victim.example/"]\n'
    for name, endpoints in platforms.items():
        text += f"[platform.{name}.function.web]\ncore = true\n"
        text += f"endpoints = {msgspec.json.encode(endpoints).decode()}\n"
    return text


def hostile(collector: Handing, victim: Sequence[str]) -> None:
    """Have the collector program order all that, and say that controls reached x.com at the
    victim's addresses."""
    told = AgentSettings(
        version="hostile",
        issued_at=datetime.now(UTC),
        interval=1.0,
        platforms=("x", "telegram", "ours", "scan"),
        catalog=orders(victim[0]),
        daily_bytes=10**12,
    )
    (collector.folder / "addresses.json").write_bytes(msgspec.json.encode(victim))
    partial = collector.folder / "orders.partial"
    partial.write_bytes(msgspec.json.encode(told))
    partial.rename(collector.folder / "orders.json")


def left(log: Path) -> set[tuple[str, str, int]]:
    """Protocol, address and port of every packet that left."""
    found = set()
    for line in log.read_text().splitlines():
        protocol, address, port = line.split()
        found.add((protocol, address, int(port)))
    return found


def test_attack_a_seized_collector_gets_no_packet_out_of_an_agent_beyond_what_it_ships() -> None:
    """It redefines platforms under their own names, adds others, has references replaced, and names
    addresses by its controls while X is blocked: cloud metadata, the machine itself, the home
    network and a victim on the internet. Every packet of the cycles after that is for an endpoint
    that the agent ships, a resolver, or the collector."""
    with Lab([LabNetwork("ptcl", 17557)], controls=0, more_hosts=[VICTIM]) as lab:
        config, collector = prepare(lab, interval="6s", platforms=["x", "telegram"])
        victim = lab.internet.addresses[VICTIM.name]
        log = lab.directory / "packets.log"
        lab.popen(
            [sys.executable, "-m", "tests.e2e.packet_log", str(log)], env={"PYTHONPATH": str(ROOT)}
        )
        wait_for(log.exists, "the log of packets")
        hostile(collector, victim)
        lab.network("ptcl").block(sni=["x.com", ".x.com"], how="reset")
        with collecting(lab, collector), agent(lab, config) as running:
            said = "part of the collector's order not used"
            wait_for(lambda: running.said(said, part="x"), "the order", 90)
            seen = len(running.cycles("ptcl"))
            wait_for(lambda: len(running.cycles("ptcl")) >= seen + 3, "three cycles after it", 150)
            assert running.said(said, part="telegram")
            assert collector.counts()["paths"]["/agent/v1/controls"] > 0
        went = left(log)
        hosts = shipped_hosts(lab)
        shipped = {a for name in hosts for a in lab.internet.addresses.get(name, (name,))}
        of_network = {lab.network("ptcl").plan.resolver4, lab.network("ptcl").plan.resolver6}
        resolvers = {*OPEN_RESOLVERS, *of_network}
        assert {a for _, a, port in went if port == 443} & set(lab.internet.addresses["x.com"])
        stray = {
            (protocol, address, port)
            for protocol, address, port in went
            if address not in shipped
            and (address not in resolvers or port not in (53, 443))
            and (protocol, port) != ("tcp", PORT)
        }
        assert not stray


def shipped_hosts(lab: Lab) -> set[str]:
    """Names and addresses of all that an agent reaches by itself: the shipped catalogue, and what
    its own file names, references and resolvers among them."""
    catalog = shipped_catalog()
    platforms = (function for one in catalog.platforms for function in one.functions)
    endpoints = [one for function in platforms for one in (*function.endpoints, *function.transfer)]
    hosts = {one.host for one in endpoints} | {one.endpoint.host for one in catalog.references}
    own = (lab.directory / "agent.toml").read_text()
    more = {name for name in lab.internet.addresses if name in own}
    return hosts | more | {"dns.google", "cloudflare-dns.com", "www.example.com"}
