"""Blocks that begin and end at random moments, measured, judged and detected by the real code.

Time is virtual and the network scripted, but what it does depends on the moment of each packet: a
censor acts from one second to another, in the middle of cycles and of measurements too. Packets get
lost and are sent again, answers are slow, names resolve late. So attempts are repeated, and what
begins blocked may end open.

    ran = run(story(seed))
    ran.event, ran.truth
"""

import asyncio
import heapq
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.events.settings import EventSettings
from monitor.app.cycle_job import measure_and_judge
from monitor.budget.budget import Effort
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from monitor.measuring.controls import LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.fast_lane import FastLane
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Catalog, Function, Need, Platform, Reference, ReferenceScope
from probes.catalog.endpoint_text import parse_endpoint
from probes.settings import ProbeSettings
from probes.sockets.network import TlsFacts
from probes.testing import (
    DnsReply,
    Peer,
    ScriptedNetwork,
    ScriptedResolver,
    ScriptedStream,
    VirtualClockLoop,
    reset_by_peer,
)
from probes.vantage import Profile, Resolver, VantagePoint, VantageRole
from storage.values.cycle import Cycle
from tests.worlds.build import START

RESOLVER, OPEN = "192.0.2.53", "192.0.2.8"
FUNCTIONS = {"web": ("x.com", "api.x.com"), "media": ("abs.twimg.com", "pbs.twimg.com")}
HOSTS = tuple(host for hosts in FUNCTIONS.values() for host in hosts)
REFERENCES = tuple(f"ref{number}.example" for number in range(5))
ADDRESSES = {
    host: f"203.0.113.{10 + number}"
    for number, host in enumerate((*HOSTS, *REFERENCES, "uplink.example", "www.example.com"))
}
HOWS = ("dns", "tcp_drop", "tls_reset", "tls_drop")
RESENT = (0.0, 1.0, 3.0, 7.0)
"""Seconds after which a client sends what got no answer."""
TICK = timedelta(microseconds=10)
"""Rounding of times."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """When something is blocked: seconds since the start of a story."""

    since: float
    until: float

    def at(self, moment: float) -> bool:
        return self.since <= moment < self.until


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is drawn for one run."""

    seed: int
    how: str
    """One of `HOWS`."""
    shape: str
    """all: a function needs every endpoint; any: one suffices; core: as all, and both functions are
    core."""
    spans: dict[int, dict[str, Span]]
    """AS number → host → when the network blocks it."""
    vantages: tuple[VantagePoint, ...]
    offsets: tuple[float, ...]
    """Seconds until the first cycle of each vantage."""
    interval: float
    fast: bool
    """Suspicious platforms are measured out of turn."""
    loss: float
    """Chance that a packet gets lost."""
    slow: float
    """Chance that an answer takes seconds."""
    lateness: float
    """Seconds that cycles take to arrive, at most: they come in out of order."""
    ends_at: float

    def truth(self, asn: int) -> Span:
        """When the network keeps people from the platform, or from a function of it."""
        functions = []
        for hosts in FUNCTIONS.values():
            spans = [self.spans[asn][host] for host in hosts]
            first, last = (max, min) if self.shape == "any" else (min, max)
            functions.append(
                Span(since=first(s.since for s in spans), until=last(s.until for s in spans))
            )
        return _union(functions)

    @property
    def country(self) -> Span:
        """When any network does."""
        return _union([self.truth(asn) for asn in self.spans])


def _union(spans: Sequence[Span]) -> Span:
    return Span(since=min(s.since for s in spans), until=max(s.until for s in spans))


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a story."""

    story: Story
    events: tuple[Event, ...]
    """About the platform, in their last form."""
    cycles: tuple[Cycle, ...]

    @property
    def retried(self) -> int:
        """Attempts that repeat another."""
        return sum(one.attempt > 1 for cycle in self.cycles for one in cycle.measurements)

    @property
    def slow(self) -> int:
        """Measurements that took two seconds or more and got their answer."""
        return sum(
            one.reached and one.duration >= 2.0
            for cycle in self.cycles
            for one in cycle.measurements
        )


def story(seed: int) -> Story:
    """One of endlessly many."""
    rng = random.Random(seed)
    how = rng.choice(HOWS)
    # Dropped connections are told from loss on good lines only, and after a while.
    dropped = how == "tcp_drop"
    interval = 300.0 if dropped else rng.choice((60.0, 120.0, 300.0))
    count = rng.randint(1, 4)
    networks = sorted(rng.sample(range(64500, 64510), rng.randint(1, min(count, 3))))
    vantages = tuple(
        VantagePoint(
            id=f"v{number}",
            country="PK",
            asn=networks[number % len(networks)],
            network=f"net{number % len(networks)}",
            resolver=Resolver(address=RESOLVER),
            profile=Profile.QUIET if interval == 300.0 and rng.random() < 0.15 else Profile.NORMAL,
        )
        for number in range(count)
    )
    begins = rng.uniform(2.5, 4.5) * interval
    lasts = rng.uniform(4.0, 8.0) * interval + (1800.0 if dropped else 0.0)
    staged = rng.random() < 0.5  # one endpoint after the other
    apart = rng.random() < 0.5  # one network after the other
    spans = {}
    for asn in networks:
        since = begins + (rng.uniform(0, 90.0) if apart else 0.0)
        until = begins + lasts + (rng.uniform(0, 90.0) if apart else 0.0)
        steps = [rng.uniform(0, 25.0) if staged else 0.0 for _ in HOSTS]
        lifts = [rng.uniform(0, 25.0) if staged else 0.0 for _ in HOSTS]
        spans[asn] = {
            host: Span(since=since + step, until=until + lift)
            for host, step, lift in zip(HOSTS, steps, lifts, strict=True)
        }
    return Story(
        seed=seed,
        how=how,
        shape=rng.choice(("all", "any", "core")),
        spans=spans,
        vantages=vantages,
        offsets=tuple(rng.uniform(0, interval) for _ in vantages),
        interval=interval,
        fast=not dropped and rng.random() < 0.7,
        loss=0.0 if dropped else rng.choice((0.0, 0.02, 0.05)),
        slow=0.05 if dropped else rng.choice((0.05, 0.15, 0.3)),
        lateness=rng.choice((0.0, 0.0, 20.0, 90.0)),
        ends_at=begins + lasts + 120.0 + 12 * interval,
    )


def run(of: Story) -> Ran:
    """Measure, judge and detect; the book is given each cycle when it arrives."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(_Run(of).run())


def moment(seconds: float) -> datetime:
    """A moment of a story, UTC."""
    return START + timedelta(seconds=seconds)


class _Run:
    def __init__(self, of: Story) -> None:
        self.story = of
        self.rng = random.Random(of.seed + 1_000_003)
        self.control = VantagePoint(
            id="ctl", country="NL", role=VantageRole.CONTROL, resolver=Resolver(address=RESOLVER)
        )
        self.settings = Settings(
            vantages=(*of.vantages, self.control),
            catalog=_catalogue(of.shape),
            interval=of.interval,
            events=EventSettings(interval=of.interval),
            probe=ProbeSettings(
                rate=10_000,
                bogon_allow=("203.0.113.0/24", "192.0.2.0/24"),
                open_resolvers=(OPEN,),
                doh_resolvers=(),
                quic_share=0.0,
            ),
        )
        self.book = EventBook()
        self.events: dict[str, Event] = {}
        self.cycles: list[Cycle] = []
        self.waiting: list[tuple[float, int, Cycle]] = []
        """Cycles on their way, by the time they arrive."""

    async def run(self) -> Ran:
        ledger = Ledger(self.settings, now=_now, limited=False)
        lane = FastLane(self.settings, ledger)
        probers = Probers(self.settings, now=_now, make_network=self._network, ledger=ledger)
        async with probers:
            runner = CycleRunner(
                self.settings, probers, LocalControls(probers, [self.control]), self.rng
            )
            await asyncio.gather(
                *(
                    self._watch(runner, lane, vantage, offset)
                    for vantage, offset in zip(self.story.vantages, self.story.offsets, strict=True)
                )
            )
        self._arrived(float("inf"))
        about = [
            event
            for event in self.events.values()
            if event.kind is EventKind.BLOCK and event.state is not EventState.WITHDRAWN
        ]
        return Ran(story=self.story, events=tuple(about), cycles=tuple(self.cycles))

    async def _watch(
        self, runner: CycleRunner, lane: FastLane, vantage: VantagePoint, offset: float
    ) -> None:
        loop = asyncio.get_running_loop()
        due = offset
        while due < self.story.ends_at and not self._over(loop.time()):
            await asyncio.sleep(max(0.0, due - loop.time()))
            due += self.story.interval
            cycle = await measure_and_judge(runner, vantage.id)
            await self._sent(cycle)
            while self.story.fast and loop.time() + lane.pace < due:
                wanted = lane.wanted(vantage, cycle, self.book)
                if not wanted:
                    break
                await asyncio.sleep(lane.pace)
                cycle = await measure_and_judge(runner, vantage.id, Effort.OUT_OF_TURN, wanted)
                await self._sent(cycle)

    def _over(self, now: float) -> bool:
        """Whether the block is over, and known to be."""
        ended = self.events and not any(event.active for event in self.events.values())
        return bool(ended) and now > self.story.country.until + self.story.lateness

    async def _sent(self, cycle: Cycle) -> None:
        now = asyncio.get_running_loop().time()
        self.cycles.append(cycle)
        late = self.rng.uniform(0, self.story.lateness)
        heapq.heappush(self.waiting, (now + late, len(self.cycles), cycle))
        self._arrived(now)

    def _arrived(self, until: float) -> None:
        while self.waiting and self.waiting[0][0] <= until:
            cycle = heapq.heappop(self.waiting)[2]
            step = advance(self.book, cycle.platforms, self.settings.events, health=cycle.health)
            self.book = step.book
            self.events |= {event.id: event for event in step.changed}

    def _network(self, vantage: VantagePoint) -> "TimedNetwork":
        spans = self.story.spans.get(vantage.asn, {}) if vantage is not self.control else {}
        calm = vantage is self.control
        return TimedNetwork(
            {ADDRESSES[host]: span for host, span in spans.items()},
            spans,
            self.story.how,
            random.Random(f"{self.story.seed} {vantage.id}"),
            loss=0.0 if calm else self.story.loss,
            slow=0.0 if calm else self.story.slow,
        )


def _now() -> datetime:
    return moment(asyncio.get_running_loop().time())


def _catalogue(shape: str) -> Catalog:
    functions = tuple(
        Function(
            name=name,
            core=name == "web" or shape == "core",
            need=Need.ANY if shape == "any" else Need.ALL,
            endpoints=tuple(parse_endpoint(f"https://{host}/") for host in hosts),
        )
        for name, hosts in FUNCTIONS.items()
    )
    international = [
        Reference(scope=ReferenceScope.INTERNATIONAL, endpoint=parse_endpoint(f"https://{host}/"))
        for host in REFERENCES
    ]
    uplink = msgspec.structs.replace(parse_endpoint("http://uplink.example/"), expect_status=(200,))
    return Catalog(
        platforms=(Platform(name="x", title="X", owner="x", functions=functions),),
        references=(
            *international,
            Reference(scope=ReferenceScope.UPLINK, endpoint=uplink),
        ),
    )


class TimedNetwork(ScriptedNetwork):
    """A network whose censor acts from one moment to another."""

    def __init__(
        self,
        blocked: dict[str, Span],
        names: dict[str, Span],
        how: str,
        rng: random.Random,
        *,
        loss: float,
        slow: float,
    ) -> None:
        """`blocked` and `names` are when an address or a name is."""
        super().__init__(families=("ipv4",))
        self._spans = blocked
        self._how = how
        self._rng = rng
        self._loss = loss
        self._slow = slow
        self._resolvers[RESOLVER, 53] = _TimedResolver(self, names if how == "dns" else {})
        self._resolvers[OPEN, 53] = _TimedResolver(self, {})
        for host, address in ADDRESSES.items():
            for resolver in self._resolvers.values():
                resolver.answers(host, "A", DnsReply(addresses=(address,)))

    def wait(self) -> float:
        """Seconds that one answer takes."""
        if self._rng.random() < self._slow:
            return self._rng.uniform(1.0, 3.0)
        return self._rng.uniform(0.02, 0.3)

    def lost(self) -> bool:
        """Whether a packet gets lost, there or back."""
        return self._rng.random() < self._loss

    def acts(self, address: str, how: str) -> bool:
        """Whether the censor acts in this way on a packet sent now."""
        span = self._spans.get(address)
        now = asyncio.get_running_loop().time()
        return how == self._how and span is not None and span.at(now)

    async def sent(self, dropped: Callable[[], bool]) -> None:
        """Send until it gets through, as TCP does; wait for ever if it never does."""
        begun = asyncio.get_running_loop().time()
        for after in RESENT:
            await asyncio.sleep(max(0.0, begun + after - asyncio.get_running_loop().time()))
            if not dropped() and not self.lost():
                await asyncio.sleep(self.wait())
                return
        await asyncio.get_running_loop().create_future()

    async def connect(self, address: str, port: int, segment: int = 0) -> ScriptedStream:
        """A connection, once a SYN gets through."""
        self.segments.setdefault((address, port), []).append(segment)
        self.connects.append((address, port))
        if address not in ADDRESSES.values():
            await asyncio.get_running_loop().create_future()
        await self.sent(lambda: self.acts(address, "tcp_drop"))
        page = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        peer = Peer(replies=(page,), reply_delay=self.wait())
        stream = _TimedStream(self, address, peer)
        self.streams.append(stream)
        return stream


class _TimedStream(ScriptedStream):
    def __init__(self, network: TimedNetwork, address: str, peer: Peer) -> None:
        super().__init__(network.own["ipv4"], peer, None, network._open)
        self._network = network
        self._address = address

    async def start_tls(self, server_name: str, *, verify: bool) -> TlsFacts:
        """A handshake, as the censor lets it pass when its first packet is sent."""
        platform = server_name in HOSTS
        if platform and self._network.acts(self._address, "tls_reset"):
            await asyncio.sleep(self._network.wait())
            raise reset_by_peer()
        await self._network.sent(lambda: platform and self._network.acts(self._address, "tls_drop"))
        return await super().start_tls(server_name, verify=verify)


class _TimedResolver(ScriptedResolver):
    def __init__(self, network: TimedNetwork, spans: dict[str, Span]) -> None:
        super().__init__()
        self._network = network
        self._spans = spans

    def _replies(self, name: str, rtype: str) -> Sequence[DnsReply]:  # type: ignore[override]
        span = self._spans.get(name)
        if span is not None and span.at(asyncio.get_running_loop().time()):
            return (DnsReply(rcode="NXDOMAIN", delay=self._network.wait()),)
        if self._network.lost():
            return ()
        delay = self._network.wait()
        known = super()._replies(name, rtype)
        return [msgspec.structs.replace(reply, delay=delay) for reply in known]
