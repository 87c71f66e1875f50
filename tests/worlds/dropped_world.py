"""A scripted world in which `run` watches from many vantages, and every platform may be dropped.

Everything but the network, the clock and the database is the program's own: schedule, cycles,
judge, sequential test and events. Time is virtual, so hours take seconds.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import msgspec

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.event import Event, EventKind
from monitor.analysis.events.settings import EventSettings
from monitor.app.cycle_job import CycleJobs
from monitor.app.cycle_runners import cycle_runner
from monitor.app.schedule import Schedule
from monitor.budget.budget import Effort
from monitor.budget.ledger import Ledger
from monitor.config.catalog import shipped_catalog, watched_by_default
from monitor.config.settings import Settings
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.host import is_literal
from probes.settings import ProbeSettings
from probes.testing import HANG, DnsReply, Hang, Peer, ScriptedNetwork
from probes.vantage import Resolver, VantagePoint, VantageRole
from storage.values.cycle import Cycle
from storage.values.steady_clock import Clocks, SteadyClock
from tests.lab import chat, ntp, stun
from tests.worlds.build import START
from tests.worlds.virtual_runner import VirtualRunner

CATALOG = watched_by_default(shipped_catalog())
PLATFORMS = frozenset(platform.name for platform in CATALOG.platforms)
CONTROLS = 2
RESOLVER = "192.0.2.53"
_NEAR = ("192.0.2.1", "100.64.0.1", "100.64.0.2")
"""Routers before the one that drops."""
_FAR = (*_NEAR, "100.64.0.3", "100.64.0.4")
_PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + bytes(65536)
_KNOWN = {
    b"/hotspot-detect.html": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nSuccess",
    b"/success.txt": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsuccess",
    b"/generate_204": b"HTTP/1.1 204 No Content\r\n\r\n",
}


def _served(request: bytes) -> bytes:
    return _KNOWN.get(request.split(b" ")[1] if b" " in request else b"/", _PAGE)


def _speak(said: bytes) -> bytes:
    return chat.SPEAKERS["noise" if said[:2] == b"WA" else "mtproto"]().feed(said) or b""


class Drops(msgspec.Struct):
    """What is dropped from when on, by the event loop's time; the same for every vantage."""

    addresses: frozenset[str] = frozenset()
    begins: float = float("inf")
    meets: Peer = Peer(connect=HANG)
    """What connections to these addresses meet."""

    def act_on(self, address: str) -> bool:
        """Whether this address is blocked now."""
        return asyncio.get_running_loop().time() >= self.begins and address in self.addresses


class DroppingNetwork(ScriptedNetwork):
    """A network behind which some addresses fall silent at a moment."""

    def __init__(self, drops: Drops) -> None:
        super().__init__(families=("ipv4",))
        self._drops = drops

    def _next_peer(self, address: str, port: int) -> Peer:
        if self._drops.act_on(address):
            return self._drops.meets
        return super()._next_peer(address, port)

    async def connect_within(self, address: str, port: int, routers: int) -> str:
        """The routers end at the one that drops."""
        dropped = self._drops.act_on(address) and self._drops.meets.connect is HANG
        way = _NEAR if dropped else _FAR
        if routers <= len(way):
            return way[routers - 1]
        return await super().connect_within(address, port, routers)


def addresses() -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """The addresses of every host, two of each in a routed network of their own; and those that are
    the platforms'."""
    found: dict[str, tuple[str, ...]] = {}
    platforms: set[str] = set()
    endpoints = [e for p in CATALOG.platforms for f in p.functions for e in f.endpoints]
    for number, endpoint in enumerate([*endpoints, *(r.endpoint for r in CATALOG.references)]):
        net = f"{60 + number // 250}.20.{number % 250}"
        literal = is_literal(endpoint.host)
        own = (endpoint.host,) if literal else (f"{net}.7", f"{net}.8")
        found.setdefault(endpoint.host, own)
        if number < len(endpoints):
            platforms.update(found[endpoint.host])
    return found, frozenset(platforms)


def network(drops: Drops, rtt: float) -> DroppingNetwork:
    """Every host of the catalogue, `rtt` seconds away."""
    made = DroppingNetwork(drops)
    hosts, _ = addresses()
    resolvers = [made.resolver(one) for one in (RESOLVER, *ProbeSettings().open_resolvers)]
    well = Peer(connect_delay=rtt, tls_delay=2 * rtt, replies=(_served,), reply_delay=rtt)
    chatty = Peer(connect_delay=rtt, replies=(_speak,), reply_delay=rtt)
    for host, several in hosts.items():
        for resolver in resolvers:
            resolver.answers(host, "A", DnsReply(addresses=several, delay=rtt / 2))
        for address in several:
            for port in (80, 443):
                made.peer(address, port, well)
    for platform in CATALOG.platforms:
        for endpoint in (e for function in platform.functions for e in function.endpoints):
            for address in hosts[endpoint.host] if endpoint.kind is EndpointKind.TCP else ():
                made.peer(address, endpoint.port, chatty)
    for endpoint in _datagram_endpoints():
        for address in hosts[endpoint.host]:
            made.datagram_peer(address, endpoint.port, partial(_datagrams, drops, address))
    innocuous = ("198.18.0.10",)
    for resolver in resolvers:
        resolver.answers("www.example.com", "A", DnsReply(addresses=innocuous, delay=rtt / 2))
    return made


def by_name(outcome: OSError | Hang) -> Peer:
    """A server of a platform whose names come to this in every greeting; others work."""
    named = dict.fromkeys(addresses()[0], outcome)
    return Peer(
        connect_delay=0.04, tls_delay=0.08, replies=(_served,), reply_delay=0.04, named=named
    )


def _datagram_endpoints() -> Sequence[Endpoint]:
    every = [e for p in CATALOG.platforms for f in p.functions for e in f.endpoints]
    every += [reference.endpoint for reference in CATALOG.references]
    return [one for one in every if one.kind in (EndpointKind.STUN, EndpointKind.NTP)]


def _datagrams(drops: Drops, address: str, request: bytes) -> list[bytes]:
    if drops.act_on(address):
        return []
    reply = stun.answer(request, ("198.51.100.7", 40000)) or ntp.answer(request, 0.0)
    return [] if reply is None else [reply]


class Folded:
    """Keeps cycles as `monitor.recording.recorder` does, without a store."""

    def __init__(self, settings: EventSettings) -> None:
        self._settings = settings
        self.book = EventBook()
        self.cycles: list[Cycle] = []
        self.suspected: dict[tuple[str, str], float] = {}
        """Country and platform → the event loop's time at which the first event was made."""
        self.confirmed: dict[tuple[str, str], float] = {}

    async def record(self, cycle: Cycle) -> None:
        """Fold one cycle."""
        self.cycles.append(cycle)
        step = advance(self.book, cycle.platforms, self._settings, health=cycle.health)
        self.book = step.book
        now = asyncio.get_running_loop().time()
        for event in step.changed:
            if event.kind is EventKind.BLOCK:
                self._note(event, now)

    def _note(self, event: Event, now: float) -> None:
        place = (event.country, event.platform)
        self.suspected.setdefault(place, now)
        if event.confirmed_at is not None:
            self.confirmed.setdefault(place, now)


class Counter:
    """Counts turns that were missed or skipped."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self.efforts: list[Effort] = []

    def cycle_taken(self, vantage: str, effort: Effort, spent: int) -> None:
        """One was run, or skipped."""
        del vantage, spent
        self.efforts.append(effort)

    def cycle_missed(self, vantage: str) -> None:
        """One was due while the one before was under way."""
        self.missed.append(vantage)


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a time of watching. Times are seconds since the program began."""

    settings: Settings
    folded: Folded
    missed: Sequence[str]
    efforts: Sequence[Effort]
    dropped: frozenset[str]
    begins: float

    def lengths(self, *, hurried: bool = False) -> list[float]:
        """Seconds that each cycle of a field vantage took which began after the block."""
        return [
            (one.finished_at - one.started_at).total_seconds()
            for one in self.folded.cycles
            if one.platforms and one.hurried is hurried and self.at(one.started_at) >= self.begins
        ]

    def at(self, moment: datetime) -> float:
        """Seconds since the program began."""
        return (moment - START).total_seconds()


def vantages(count: int, countries: int = 1) -> tuple[VantagePoint, ...]:
    """So many field vantages, each in a network of its own, and controls."""
    codes = ("PK", "BR", "IN", "TR", "EG")[:countries]
    resolver = Resolver(address=RESOLVER)
    field = [
        VantagePoint(
            id=f"v{number}",
            country=codes[number % countries],
            asn=64500 + number,
            network=f"Network {number}",
            resolver=resolver,
        )
        for number in range(count)
    ]
    controls = [
        VantagePoint(
            id=f"c{number}",
            country="DE",
            asn=64600 + number,
            role=VantageRole.CONTROL,
            resolver=resolver,
        )
        for number in range(CONTROLS)
    ]
    return (*field, *controls)


async def watch(
    watching: Sequence[VantagePoint],
    *,
    begins: float,
    lasting: float,
    dropped: frozenset[str] = PLATFORMS,
    meets: Peer = Peer(connect=HANG),  # noqa: B008 # never changed
    rtt: float = 0.04,
    change: Callable[[Settings], Settings] = lambda settings: settings,
) -> Watched:
    """`run` with the settings as shipped, for `lasting` seconds; from `begins` on the platforms
    `dropped` are, at every field vantage: connections to them meet what `meets` says."""
    loop = asyncio.get_running_loop()
    hosts, _ = addresses()
    silent = frozenset(
        address
        for platform in CATALOG.platforms
        if platform.name in dropped
        for function in platform.functions
        for endpoint in function.endpoints
        for address in hosts[endpoint.host]
    )
    # The vantages' resolver has an address of documentation.
    shipped = ProbeSettings(bogon_allow=("192.0.2.0/24",))
    settings = change(Settings(vantages=tuple(watching), catalog=CATALOG, probe=shipped))
    here, elsewhere = network(Drops(silent, begins, meets), rtt), network(Drops(), rtt)
    clock = SteadyClock(Clocks(since_boot=loop.time, wall=lambda: START.timestamp() + loop.time()))
    ledger = Ledger(settings, now=clock.now)
    folded, counter = Folded(settings.events), Counter()

    def make_network(vantage: VantagePoint) -> DroppingNetwork:
        return here if vantage.role is VantageRole.FIELD else elsewhere

    async with cycle_runner(
        settings,
        make_network=make_network,
        ledger=ledger,
        clock=clock,
        make_runner=VirtualRunner,
    ) as runner:
        jobs = CycleJobs(runner, folded, counter, ledger, clock)
        schedule = Schedule(settings, jobs)
        schedule.start()
        await asyncio.sleep(lasting)
        await schedule.stop()
    return Watched(
        settings=settings,
        folded=folded,
        missed=counter.missed,
        efforts=counter.efforts,
        dropped=dropped,
        begins=begins,
    )
