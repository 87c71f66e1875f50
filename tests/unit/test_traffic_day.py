"""A simulated day of the shipped catalogue: bytes last until midnight, and nothing is forgotten.

Time is virtual and the network scripted, so bytes are the estimate, which
`tests/scenarios/test_traffic.py` holds against real packets.
"""

import asyncio
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from monitor.analysis.verdict import State
from monitor.budget import Effort
from monitor.control_desk import ControlDesk
from monitor.cycle import CycleRunner
from monitor.looking import Looking
from monitor.settings import Settings
from monitor.spending import Spending
from monitor.transfers import Transfers
from probes.catalog import EndpointKind
from probes.catalog_load import shipped_catalog, watched_by_default
from probes.settings import ProbeSettings
from probes.testing import HANG, DnsReply, Peer, ScriptedNetwork, VirtualClockLoop
from probes.vantage import Resolver, VantagePoint, VantageRole
from storage.store import Cycle
from tests.lab import chat, stun

MIDNIGHT = datetime(2024, 2, 17, tzinfo=UTC)
RESOLVER = "192.0.2.53"
WEB, ELSEWHERE = ("203.0.113.10", "2001:db8::10"), ("203.0.113.20", "2001:db8::20")
FIELD = VantagePoint(id="here", country="PK", asn=1, resolver=Resolver(address=RESOLVER, port=53))
CONTROL = VantagePoint(
    id="there",
    country="DE",
    asn=2,
    role=VantageRole.CONTROL,
    resolver=Resolver(address=RESOLVER, port=53),
)
SETTINGS = Settings(
    vantages=(FIELD, CONTROL),
    catalog=watched_by_default(shipped_catalog()),
    probe=ProbeSettings(rate=10_000, bogon_allow=("203.0.113.0/24", "2001:db8::/32")),
)
CHAIN = (b"l" * 1800, b"i" * 1400)
PAGE = bytes(150_000)
START_PAGES = {
    *(
        endpoint.host
        for platform in SETTINGS.catalog.platforms
        for role in platform.roles
        for endpoint in role.endpoints
        if role.name in ("web", "links")
    ),
    *(one.endpoint.host for one in SETTINGS.catalog.references),
}
"""What serves a page to look at; the rest answers in a few bytes."""


def served(request: bytes) -> bytes:
    """What a web server answers: the known answers to captive-portal checks, else a large page."""
    path = request.split(b" ")[1] if b" " in request else b"/"
    large = {b"Host: " + host.encode() for host in START_PAGES}
    page = PAGE if large & set(request.split(b"\r\n")) else b"{}"
    body = {b"/hotspot-detect.html": b"Success", b"/success.txt": b"success"}.get(path, page)
    if path == b"/generate_204":
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def world(*, blocked: bool) -> ScriptedNetwork:
    """Every host of the catalogue; when blocked, the platforms' are met with silence."""
    network = ScriptedNetwork()
    names = network.resolver(RESOLVER)
    up = Peer(connect_delay=0.05, tls_delay=0.05, chain=CHAIN, says=(served,), say_delay=0.05)
    platform = Peer(connect_delay=0.05, tls=HANG, chain=()) if blocked else up
    for addresses, peer in ((WEB, platform), (ELSEWHERE, up)):
        for address in addresses:
            for port in (80, 443):
                network.peer(address, port, peer)
    for one in SETTINGS.catalog.platforms:
        for endpoint in (e for role in one.roles for e in role.endpoints):
            chatty = Peer(connect=HANG) if blocked else Peer(says=(_speak,))
            if endpoint.host[-1].isdigit() or ":" in endpoint.host:
                network.peer(endpoint.host, endpoint.port, chatty)
                continue
            names.answers(endpoint.host, "A", DnsReply(addresses=WEB[:1]))
            names.answers(endpoint.host, "AAAA", DnsReply(addresses=WEB[1:]))
            if endpoint.kind is EndpointKind.TCP and endpoint.port not in (80, 443):
                for address in WEB:
                    network.peer(address, endpoint.port, chatty)
            if endpoint.kind is EndpointKind.STUN and not blocked:
                for address in WEB:
                    network.datagram_peer(address, endpoint.port, _binding)
    for reference in SETTINGS.catalog.references:
        names.answers(reference.endpoint.host, "A", DnsReply(addresses=ELSEWHERE[:1]))
        names.answers(reference.endpoint.host, "AAAA", DnsReply(addresses=ELSEWHERE[1:]))
    names.answers("www.example.com", "A", DnsReply(addresses=ELSEWHERE[:1]))
    return network


def _speak(said: bytes) -> bytes:
    return chat.SPEAKERS["mtproto"]().feed(said) or b""


def _binding(request: bytes) -> list[bytes]:
    reply = stun.answer(request, ("198.51.100.7", 40000))
    return [] if reply is None else [reply]


async def simulated(hours: float, *, blocked: bool) -> tuple[list[Cycle], Spending]:
    """The cycles of a field vantage from midnight on, every five minutes."""
    loop = asyncio.get_running_loop()

    def now() -> datetime:
        return MIDNIGHT + timedelta(seconds=loop.time())

    spending = Spending(SETTINGS, now=now)
    networks = {FIELD.id: world(blocked=blocked), CONTROL.id: world(blocked=False)}
    rng = random.Random(7)
    cycles = []
    looking = Looking(SETTINGS, now=now, make_network=lambda v: networks[v.id], spending=spending)
    async with looking:
        runner = CycleRunner(
            SETTINGS,
            looking,
            ControlDesk(looking, [CONTROL]),
            rng,
            transfers=Transfers(SETTINGS, looking, [CONTROL], rng),
        )
        for turn in range(round(hours * 12)):
            await asyncio.sleep(max(0.0, turn * SETTINGS.interval - loop.time()))
            effort = spending.turn(FIELD.id)
            if effort is Effort.NONE:
                continue
            cycle = await runner.run(FIELD.id, effort)
            spending.cycle_done(FIELD.id, effort, cycle.measurements)
            cycles.append(cycle)
            assert spending.spent(FIELD.id).total < SETTINGS.probe.daily_bytes
            assert spending.spent(CONTROL.id).total < SETTINGS.probe.daily_bytes
    return cycles, spending


def longest_unseen(cycles: list[Cycle], hours: float) -> float:
    """Seconds for which some platform was not looked at, the end of the time included."""
    seen: dict[str, list[float]] = defaultdict(list)
    for cycle in cycles:
        for verdict in cycle.platforms:
            seen[verdict.platform].append((verdict.started_at - MIDNIGHT).total_seconds())
    assert set(seen) == {platform.name for platform in SETTINGS.catalog.platforms}
    ends = hours * 3600.0
    return max(max(b - a for a, b in pairwise([*times, ends])) for times in seen.values())


HOURS = [pytest.param(2.0), pytest.param(24.0, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]


@pytest.mark.parametrize("hours", HOURS)
def test_a_healthy_day_keeps_to_its_bytes_and_looks_at_every_turn(hours: float) -> None:
    """Every platform is found ok every five minutes, within what so much of the day may use."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        cycles, spending = runner.run(simulated(hours, blocked=False))
    assert longest_unseen(cycles, hours) <= 330.0
    states = {(v.platform, v.state) for cycle in cycles for v in cycle.platforms}
    assert {state for _, state in states} == {State.OK}, states
    assert spending.spent(FIELD.id).total < SETTINGS.probe.daily_bytes * (hours + 4) / 28


@pytest.mark.parametrize("hours", HOURS)
def test_a_day_of_silence_keeps_to_its_bytes_and_stays_blocked(hours: float) -> None:
    """With everything blocked by silence each platform is looked at every quarter of an hour at
    least, and found blocked each time."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        cycles, spending = runner.run(simulated(hours, blocked=True))
    assert longest_unseen(cycles, hours) <= 900.0
    states = [v.state for cycle in cycles for v in cycle.platforms]
    assert states.count(State.BLOCKED) == len(states)
    assert spending.spent(FIELD.id).total < SETTINGS.probe.daily_bytes
    assert spending.spent(CONTROL.id).total < SETTINGS.probe.daily_bytes
