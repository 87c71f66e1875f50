"""A simulated day of the shipped catalogue: bytes last until midnight, and nothing is forgotten.

Time is virtual and the network scripted, so bytes are the estimate, which
`tests/scenarios/test_traffic.py` holds against real packets.
"""

import asyncio
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.verdict import State
from monitor.app.cycle_job import measure_and_judge
from monitor.app.schedule import SHORT_TESTS
from monitor.budget.budget import Effort, Spent
from monitor.budget.ledger import Ledger
from monitor.config.catalog import shipped_catalog, watched_by_default
from monitor.config.settings import Settings
from monitor.measuring.between_turns import short_tests
from monitor.measuring.controls import LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.probers import Probers
from monitor.measuring.transfers import Transfers
from probes.catalog.endpoint_kinds import EndpointKind
from probes.settings import ProbeSettings
from probes.testing import HANG, DnsReply, Peer, ScriptedNetwork, VirtualClockLoop
from probes.vantage import Resolver, VantagePoint, VantageRole
from storage.values.cycle import Cycle
from tests.lab import chat, stun

MIDNIGHT = datetime(2024, 2, 17, tzinfo=UTC)
RESOLVER = "192.0.2.53"
WEB, ELSEWHERE = ("203.0.113.10", "2001:db8::10"), ("203.0.113.20", "2001:db8::20")
CHAT = ("203.0.113.30", "2001:db8::30")
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
        for function in platform.functions
        for endpoint in function.endpoints
        if function.name in ("web", "links")
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
    up = Peer(connect_delay=0.05, tls_delay=0.05, chain=CHAIN, replies=(served,), reply_delay=0.05)
    platform = Peer(connect_delay=0.05, tls=HANG, chain=()) if blocked else up
    for addresses, peer in ((WEB, platform), (ELSEWHERE, up)):
        for address in addresses:
            for port in (80, 443):
                network.peer(address, port, peer)
    for one in SETTINGS.catalog.platforms:
        for endpoint in (e for function in one.functions for e in function.endpoints):
            chatty = Peer(connect=HANG) if blocked else Peer(replies=(_speak,))
            if endpoint.host[-1].isdigit() or ":" in endpoint.host:
                network.peer(endpoint.host, endpoint.port, chatty)
                continue
            talks = endpoint.kind is EndpointKind.TCP
            names.answers(endpoint.host, "A", DnsReply(addresses=(CHAT if talks else WEB)[:1]))
            names.answers(endpoint.host, "AAAA", DnsReply(addresses=(CHAT if talks else WEB)[1:]))
            if talks:
                for address in CHAT:
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
    return chat.SPEAKERS["noise" if said[:2] == b"WA" else "mtproto"]().feed(said) or b""


def _binding(request: bytes) -> list[bytes]:
    reply = stun.answer(request, ("198.51.100.7", 40000))
    return [] if reply is None else [reply]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a day, or of the beginning of one."""

    hours: float
    cycles: list[Cycle]
    efforts: Counter[Effort]
    """Turns by what they did."""
    short: int
    """Rounds of short tests of every platform between them."""
    field: Spent
    control: Spent

    @property
    def states(self) -> Counter[State]:
        """How often each state was found, over all platforms and cycles."""
        return Counter(verdict.state for cycle in self.cycles for verdict in cycle.platforms)

    @property
    def longest_unseen(self) -> float:
        """Seconds for which some platform was not looked at, the end of the time included."""
        seen: dict[str, list[float]] = defaultdict(list)
        for cycle in self.cycles:
            for verdict in cycle.platforms:
                seen[verdict.platform].append((verdict.started_at - MIDNIGHT).total_seconds())
        assert set(seen) == {platform.name for platform in SETTINGS.catalog.platforms}
        ends = self.hours * 3600.0
        return max(max(b - a for a, b in pairwise([*times, ends])) for times in seen.values())

    @property
    def longest_cycle(self) -> float:
        """Seconds from the beginning of a cycle to its end."""
        return max((one.finished_at - one.started_at).total_seconds() for one in self.cycles)


def simulated(hours: float, *, blocked: bool) -> Day:
    """The cycles of a field vantage from midnight on, every five minutes."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(_simulated(hours, blocked=blocked))


async def _simulated(hours: float, *, blocked: bool) -> Day:
    loop = asyncio.get_running_loop()

    def now() -> datetime:
        return MIDNIGHT + timedelta(seconds=loop.time())

    ledger = Ledger(SETTINGS, now=now)
    networks = {FIELD.id: world(blocked=blocked), CONTROL.id: world(blocked=False)}
    rng = random.Random(7)
    cycles = []
    efforts: Counter[Effort] = Counter()
    short = 0
    probers = Probers(SETTINGS, now=now, make_network=lambda v: networks[v.id], ledger=ledger)
    async with probers:
        controls = LocalControls(probers, [CONTROL])
        runner = CycleRunner(
            SETTINGS,
            probers,
            controls,
            rng,
            transfers=Transfers(SETTINGS, probers, controls, rng),
        )
        for turn in range(round(hours * 12)):
            await asyncio.sleep(max(0.0, turn * SETTINGS.interval - loop.time()))
            effort = ledger.begin_cycle(FIELD.id)
            efforts[effort] += 1
            if effort is Effort.NONE:
                continue
            cycle = await measure_and_judge(runner, FIELD.id, effort)
            ledger.cycle_done(FIELD.id, effort, cycle.measurements)
            cycles.append(cycle)
            if not blocked:  # what is blocked already is not tested between turns
                for share in SHORT_TESTS:
                    due = (turn + share) * SETTINGS.interval
                    await asyncio.sleep(max(0.0, due - loop.time()))
                    made = await short_tests(probers, FIELD, SETTINGS.catalog.platforms, rng)
                    short += len(made.answered) == len(SETTINGS.catalog.platforms)
            assert ledger.spent(FIELD.id).total < SETTINGS.probe.daily_bytes
            assert ledger.spent(CONTROL.id).total < SETTINGS.probe.daily_bytes
    return Day(
        hours=hours,
        cycles=cycles,
        efforts=efforts,
        short=short,
        field=ledger.spent(FIELD.id),
        control=ledger.spent(CONTROL.id),
    )


def healthy(hours: float) -> Day:
    """Every platform is found ok every five minutes, within what so much of the day may use."""
    day = simulated(hours, blocked=False)
    assert day.longest_unseen <= 330.0
    assert set(day.states) == {State.OK}
    assert day.field.total < SETTINGS.probe.daily_bytes * (hours + 4) / 28
    # Bytes that a block would need are not touched, so one round of three is left out.
    assert day.short >= 0.6 * len(SHORT_TESTS) * hours * 12
    return day


def silent(hours: float) -> Day:
    """With everything blocked by silence each platform is looked at every quarter of an hour at
    least, and found blocked each time."""
    day = simulated(hours, blocked=True)
    assert day.longest_unseen <= 900.0
    assert set(day.states) == {State.BLOCKED}
    assert day.field.total < SETTINGS.probe.daily_bytes
    assert day.control.total < SETTINGS.probe.daily_bytes
    return day


def test_a_healthy_beginning_keeps_to_its_bytes_and_looks_at_every_turn() -> None:
    """Two hours after midnight, in which bytes are saved already."""
    day = healthy(2.0)
    assert day.efforts[Effort.NONE] == 0
    assert day.efforts[Effort.MODEST] > 0


def test_a_beginning_in_silence_keeps_to_its_bytes_and_stays_blocked() -> None:
    """Two hours after midnight, in which the bytes kept for suspicion run out."""
    day = silent(2.0)
    assert day.efforts[Effort.MODEST] > 0


# -- whole days ----------------------------------------------------------------------------------

DOCS = Path(__file__).parents[4] / "docs"
_INTRODUCTION = """# A day's bytes

Written by `make soak` (`pytest -m soak`). Whole days of 24 hours of the shipped catalogue and
settings, one field vantage and one control, a turn every {interval:.0f} minutes from midnight
(UTC) on, with short tests between two turns while all is well, each with {limit:.0f} MB. Time is
virtual and the network is scripted (`probes/testing.py`): every site answers over both address
families, start pages with 150 KB, or every platform is met with silence after the connection, chat
services before it. Bytes are the
estimate that the budget goes by, which a test holds against the counters of an interface, on real
packets (tests/scenarios/test_traffic.py). A day is good when neither vantage used more than it
may, every platform was looked at at least every 15 minutes, and always found to be what it was.
"""


def _row(name: str, day: Day) -> str:
    turns = [day.efforts[one] for one in (Effort.WHOLE, Effort.MODEST, Effort.NONE)]
    purses = (day.field.looks, day.field.speed, day.field.suspicion, day.field.total)
    cells = [
        *(name, *turns, day.short),
        f"{day.longest_unseen / 60:.0f} min",
        f"{day.longest_cycle:.0f} s",
        *(f"{count / 1e6:.1f} MB" for count in (*purses, day.control.total)),
        *(" ".join(sorted(day.states)),),
    ]
    return f"| {' | '.join(map(str, cells))} |"


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_whole_days_keep_to_their_bytes() -> None:
    """A healthy day, and one in which everything is blocked; writes docs/soak-traffic.md."""
    rows = [_row("all is well", healthy(24.0)), _row("silence", silent(24.0))]
    text = _INTRODUCTION.format(
        interval=SETTINGS.interval / 60, limit=SETTINGS.probe.daily_bytes / 1e6
    )
    head = (
        "| day | whole | modest | left out | rounds of short tests | longest unseen | longest cycle"
        " | looks | speed | suspicion | field | control | found |"
    )
    lines = [text, head, "|" + "---|" * 13, *rows, ""]
    (DOCS / "soak-traffic.md").write_text("\n".join(lines), encoding="utf-8")
