"""Live through a world as `shutwatch run` would: measure on scripted networks, judge, detect,
store, publish, notify. The clock is virtual, so a day takes a second.
"""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec

from monitor.app.cycle_job import measure_and_judge
from monitor.config.settings import Settings
from monitor.judging.judge_cycle import judge_cycle
from monitor.measuring.controls import LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.hellos import Hellos
from monitor.measuring.probers import Probers
from monitor.metrics.publisher import Publisher
from monitor.notify.delivery import Delivery
from monitor.notify.message_value import Limits, Message
from monitor.notify.settings import NotifySettings, Route, Target
from monitor.recording.recorder import Recorder
from probes.catalog.catalog import Catalog, Function, Platform, Reference, ReferenceScope
from probes.settings import ProbeSettings
from probes.testing import HANG, DnsReply, Peer, ScriptedNetwork, refused, reset_by_peer
from probes.vantage import Resolver, VantagePoint, VantageRole
from storage.store import Store
from storage.values.cycle import Cycle
from tests.truth.world import (
    COUNTRY,
    INTERVAL,
    OPEN_PLATFORM,
    PLATFORM,
    Method,
    Network,
    Part,
    Trouble,
    World,
)
from tests.unit.monitor.measuring.test_cycle import OPEN, RESOLVER, endpoint

WEB_HOSTS, MEDIA_HOSTS = ("x.com", "t.co"), ("pbs.twimg.com", "video.twimg.com")
X_HOSTS, OPEN_HOST = (*WEB_HOSTS, *MEDIA_HOSTS), "www.facebook.com"
REFERENCES = ("one.example", "two.example", "three.example", "four.example")
POPULAR, UPLINK = "popular.example", "uplink.example"
HOSTS = (*X_HOSTS, OPEN_HOST, *REFERENCES, POPULAR, UPLINK)
LISTED = (OPEN_HOST, POPULAR)
"""What a list of sites lets pass."""
BLOCKED_HOSTS = {Part.ALL: X_HOSTS, Part.MEDIA: MEDIA_HOSTS, Part.IPV6: X_HOSTS}
ADDRESS = {host: f"203.0.113.{10 + number}" for number, host in enumerate(HOSTS)}
IPV6_ADDRESS = {host: f"2001:db8:a::{10 + number}" for number, host in enumerate(HOSTS)}
FALSE_ADDRESS, FALSE_IPV6_ADDRESS = "203.0.113.90", "2001:db8:a::90"
"""Where a hijacked name leads."""
STAGGER = 7.0
"""Seconds from one vantage's start to the next's."""
LANGUAGES = ("en", "ur", "pt")
ROUTE_OF = {f"inbox-{code}": code for code in LANGUAGES}
TITLES = {PLATFORM: "X", OPEN_PLATFORM: "Facebook"}
CONTROLS = tuple(
    VantagePoint(
        id=f"ctl-{country.lower()}",
        country=country,
        asn=64510 + number,
        network=f"Control {country}",
        role=VantageRole.CONTROL,
        resolver=Resolver(address=RESOLVER),
    )
    for number, country in enumerate(("NL", "DE"))
)


def catalogue() -> Catalog:
    """A platform that may be blocked, whose pictures and video need servers of their own, and one
    that never is."""
    functions: dict[str, dict[str, tuple[str, ...]]] = {
        PLATFORM: {"web": WEB_HOSTS, "pictures": MEDIA_HOSTS[:1], "video": MEDIA_HOSTS[1:]},
        OPEN_PLATFORM: {"web": (OPEN_HOST,)},
    }
    platforms = [
        Platform(
            name=name,
            title=TITLES[name],
            owner=TITLES[name],
            functions=tuple(
                Function(
                    name=function,
                    core=function == "web",
                    endpoints=tuple(endpoint(f"https://{host}/") for host in hosts),
                )
                for function, hosts in own.items()
            ),
        )
        for name, own in functions.items()
    ]
    foreign = [
        Reference(
            scope=ReferenceScope.POPULAR if host == POPULAR else ReferenceScope.INTERNATIONAL,
            endpoint=endpoint(f"https://{host}/"),
        )
        for host in (*REFERENCES, POPULAR)
    ]
    uplink = Reference(scope=ReferenceScope.UPLINK, endpoint=endpoint(f"http://{UPLINK}/", 200))
    return Catalog(platforms=tuple(platforms), references=(*foreign, uplink))


def settings(world: World, database: str) -> Settings:
    """What watches that world."""
    fields = tuple(
        VantagePoint(
            id=one.vantage,
            country=COUNTRY,
            asn=one.asn,
            network=one.name,
            resolver=Resolver(address=RESOLVER),
        )
        for one in world.networks
    )
    routes = tuple(
        Route(
            name=name,
            urls=(Target(name=f"1-{name}", url=f"json://{name}/"),),
            minimum="suspected",
            language=code,
        )
        for name, code in ROUTE_OF.items()
    )
    return Settings(
        interval=INTERVAL,
        database=database,
        vantages=(*fields, *(CONTROLS if world.controls else ())),
        catalog=catalogue(),
        probe=ProbeSettings(
            rate=10_000,
            bogon_allow=("203.0.113.0/24", "192.0.2.0/24", "2001:db8::/32"),
            open_resolvers=(OPEN,),
            doh_resolvers=(),
        ),
        notify=NotifySettings(route=routes),
    )


class Sent(msgspec.Struct, frozen=True):
    """A message that a person got."""

    route: str
    message: Message
    seconds: float
    """When, in the world's time."""


class Inbox:
    """A service that takes every message."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def limits(self, _: Target) -> Limits:
        """It takes all there is."""
        return Limits()

    async def deliver(self, target: Target, message: Message, within: float) -> str:
        """Keep it."""
        del within
        route = target.name.removeprefix("1-")
        self.sent.append(Sent(route, message, asyncio.get_running_loop().time()))
        return ""


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """What `shutwatch once` measured."""

    seconds: float
    """When it began, in the world's time."""
    cycles: list[Cycle]


class Living(msgspec.Struct, frozen=True, kw_only=True):
    """A world being lived through, as it is at one moment."""

    world: World
    settings: Settings
    store: Store
    publisher: Publisher
    inbox: Inbox
    cycles: list[Cycle]
    """All of them so far."""
    seconds: float
    """Now, in the world's time."""
    once: "Once"
    """What somebody measured by hand shortly before."""

    @property
    def at(self) -> datetime:
        """Now, by the program's clock."""
        return self.world.wall(self.seconds)


Look = Callable[[Living], Awaitable[None]]
"""Reads the surfaces at a moment."""
Scrape = Callable[[int, Publisher], None]
"""Gets the number of a turn, and what Prometheus would read from."""
TIME_PASSES = 60.0
"""Seconds after which the program notes again that time passed."""
SCRAPED_AT = 60.0
"""Seconds after a turn's beginning at which Prometheus scrapes."""


async def live(
    world: World, configured: Settings, store: Store, look: Look, scrape: Scrape
) -> Living:
    """Live through the world; `look` is called after the turns that it names, and at its end,
    `scrape` in each turn."""
    loop = asyncio.get_running_loop()
    networks = {one.id: network_of(world, one.id) for one in configured.vantages}
    inbox, cycles = Inbox(), list[Cycle]()
    process = await _Process.start(world, configured, store, networks, inbox)
    for turn in range(world.turns):
        if turn in world.restarts:
            await process.stop()
            process = await _Process.start(world, configured, store, networks, inbox)
        loop.call_at(turn * INTERVAL + SCRAPED_AT, scrape, turn, process.publisher)
        await asyncio.gather(
            *(
                process.cycle(vantage, number * STAGGER, cycles)
                for number, vantage in enumerate(configured.vantages)
            )
        )
        wanted = turn in world.seen_at or turn == world.turns - 1
        by_hand = await _once(world, configured, networks) if wanted else None
        await asyncio.sleep(max(0.0, (turn + 1) * INTERVAL - 1 - loop.time()))
        if by_hand is not None:
            now = Living(
                world=world,
                settings=configured,
                store=store,
                publisher=process.publisher,
                inbox=inbox,
                cycles=cycles,
                seconds=loop.time(),
                once=by_hand,
            )
            await look(now)
        await asyncio.sleep(max(0.0, (turn + 1) * INTERVAL - loop.time()))
    await process.stop()
    return now


class _Process:
    """One run of the program."""

    def __init__(
        self, world: World, configured: Settings, store: Store, probers: Probers, inbox: Inbox
    ) -> None:
        self._world = world
        self._settings = configured
        self._probers = probers
        self._loop = asyncio.get_running_loop()
        rng = random.Random(1)
        self.publisher = Publisher(
            configured.vantages, configured.catalog, self._now, interval=configured.interval
        )
        self._delivery = Delivery(store, inbox, self.publisher, now=self._now, chance=rng.random)
        self._delivery.use(configured.notify, TITLES, "https://watch.example")
        self._recorder = Recorder(
            configured, store, self.publisher, now=self._now, notifier=self._delivery
        )
        controls = CONTROLS if world.controls else ()
        self._runner = CycleRunner(configured, probers, LocalControls(probers, controls), rng)
        self._tasks = [asyncio.create_task(self._delivery.run())]

    @classmethod
    async def start(
        cls,
        world: World,
        configured: Settings,
        store: Store,
        networks: dict[str, ScriptedNetwork],
        inbox: Inbox,
    ) -> "_Process":
        """Start it, with what an earlier one stored."""
        probers = Probers(
            configured,
            now=lambda: world.wall(asyncio.get_running_loop().time()),
            make_network=lambda vantage: networks[vantage.id],
        )
        await probers.__aenter__()
        self = cls(world, configured, store, probers, inbox)
        await self._recorder.restore()
        self._tasks.append(asyncio.create_task(self._pass_time()))
        return self

    async def stop(self) -> None:
        """End it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._probers.__aexit__(None, None, None)

    async def _pass_time(self) -> None:
        while True:
            await self._recorder.pass_time(self._now())
            await asyncio.sleep(TIME_PASSES)

    async def cycle(self, vantage: VantagePoint, wait: float, cycles: list[Cycle]) -> None:
        """One cycle of a vantage, unless nobody watches."""
        await asyncio.sleep(wait)
        fault = self._fault(vantage.id)
        if fault is Trouble.UNWATCHED:
            return
        if fault is Trouble.SKIPPED:
            found = judge_cycle(self._runner.skipped(vantage.id), self._settings.catalog, ())
        else:
            found = await measure_and_judge(self._runner, vantage.id)
        cycles.append(found)
        await self._recorder.record(found)

    def _fault(self, vantage: str) -> Trouble | None:
        seconds = self._loop.time()
        for network in self._world.networks:
            if network.vantage == vantage and (fault := network.fault_at(seconds)) is not None:
                return fault.trouble
        return None

    def _now(self) -> datetime:
        # Surfaces ask from a loop of their own, with a clock of its own.
        return self._world.wall(self._loop.time())


async def _once(world: World, configured: Settings, networks: dict[str, ScriptedNetwork]) -> Once:
    """One cycle of every vantage by a program of its own, as `shutwatch once` makes it."""
    loop = asyncio.get_running_loop()
    seconds, rng = loop.time(), random.Random(2)
    controls = CONTROLS if world.controls else ()
    async with Probers(
        configured,
        now=lambda: world.wall(loop.time()),
        make_network=lambda vantage: networks[vantage.id],
    ) as probers:
        runner = CycleRunner(
            configured,
            probers,
            LocalControls(probers, controls),
            rng,
            hellos=Hellos(rng, 1.0),
        )
        cycles = await asyncio.gather(
            *(measure_and_judge(runner, vantage.id) for vantage in configured.vantages)
        )
    return Once(seconds=seconds, cycles=list(cycles))


# -- networks ------------------------------------------------------------------------------------


def _page(world: World, **changes: Any) -> Peer:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    usual = Peer(connect_delay=0.02, tls_delay=0.02 + world.slow, replies=(head,))
    return msgspec.structs.replace(usual, **changes)


_REACHING = (None, Trouble.LOSSY, Trouble.UNWATCHED, Trouble.SKIPPED)
"""With these troubles packets reach whoever blocks."""
_NAMES_CUT = {host: reset_by_peer() for host in X_HOSTS}
"""What a network does to a name that it blocks, at any address."""
_LOGIN = b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n"


def _script(world: World, truth: Network) -> ScriptedNetwork:
    """A network that does what is true of it, from each moment on."""
    network = ScriptedNetwork(families=("ipv4", "ipv6") if world.dual else ("ipv4",))
    network.resolver(OPEN)
    loop = asyncio.get_running_loop()
    for moment in {0.0, *truth.moments}:
        loop.call_at(moment, _apply, world, truth, network, moment)
    _apply(world, truth, network, 0.0)
    return network


def _apply(world: World, truth: Network, network: ScriptedNetwork, seconds: float) -> None:
    fault, block = truth.fault_at(seconds), truth.block_at(seconds)
    trouble = fault.trouble if fault else None
    names = network.resolver(RESOLVER)
    for host in HOSTS:
        for resolver in (names, network.resolver(OPEN)):
            resolver.answers(host, "A", DnsReply(addresses=(ADDRESS[host],)))
            if world.dual:
                resolver.answers(host, "AAAA", DnsReply(addresses=(IPV6_ADDRESS[host],)))
        peers = _healthy(world, trouble)
        if trouble is Trouble.ALLOWLIST and host not in LISTED:
            peers = (Peer(connect_delay=0.02, tls=HANG),)
        over_ipv6 = peers
        if block is not None and trouble in _REACHING:
            if block.part is Part.IPV6:
                over_ipv6 = tuple(msgspec.structs.replace(one, named=_NAMES_CUT) for one in peers)
            elif host in BLOCKED_HOSTS[block.part]:
                peers = over_ipv6 = (_cut(world, network, host, block.method, trouble),)
        network.peer(ADDRESS[host], 443, *peers)
        network.peer(IPV6_ADDRESS[host], 443, *over_ipv6)
        portal = (_page(world, replies=(_LOGIN,)),)
        plain = portal if trouble is Trouble.PORTAL else _healthy(world, trouble)
        if trouble is Trouble.ALLOWLIST and host not in LISTED:
            plain = (Peer(connect_delay=0.02, replies=(HANG,)),)
        network.peer(ADDRESS[host], 80, *plain)
        network.peer(IPV6_ADDRESS[host], 80, *plain)


def _healthy(world: World, trouble: Trouble | None) -> tuple[Peer, ...]:
    match trouble:
        case Trouble.OFFLINE:
            return (Peer(connect=HANG),)
        case Trouble.PORTAL:
            return (Peer(connect=refused()),)
        case Trouble.LOSSY:
            return (_page(world, retransmits=2),)
    return (_page(world),)


def _cut(
    world: World,
    network: ScriptedNetwork,
    host: str,
    method: Method,
    trouble: Trouble | None,
) -> Peer:
    """The server of a blocked host, as this network shows it."""
    (page,) = _healthy(world, trouble)
    resolver = network.resolver(RESOLVER)
    match method:
        case Method.RESET:
            return msgspec.structs.replace(page, tls=reset_by_peer(), chain=(), replies=())
        case Method.SILENCE:
            return Peer(connect=HANG)
        case Method.NXDOMAIN:
            for qtype in ("A", "AAAA") if world.dual else ("A",):
                resolver.answers(host, qtype, DnsReply(rcode="NXDOMAIN"))
        case Method.HIJACK:
            resolver.answers(host, "A", DnsReply(addresses=(FALSE_ADDRESS,)))
            bad = ssl.SSLCertVerificationError(1, "certificate verify failed: Hostname mismatch")
            bad.verify_code, bad.verify_message = 62, "Hostname mismatch"
            other = Peer(connect_delay=0.02, tls=bad, chain=(b"certificate of another",))
            network.peer(FALSE_ADDRESS, 443, other)
            if world.dual:
                resolver.answers(host, "AAAA", DnsReply(addresses=(FALSE_IPV6_ADDRESS,)))
                network.peer(FALSE_IPV6_ADDRESS, 443, other)
    return page


def network_of(world: World, vantage: str) -> ScriptedNetwork:
    """The network of a vantage, which may be a control."""
    own = next((one for one in world.networks if one.vantage == vantage), None)
    return _script(world, own) if own is not None else _control(world)


def _control(world: World) -> ScriptedNetwork:
    truth = Network(vantage="", asn=0, name="", faults=world.control_faults)
    return _script(world, truth)
