"""A story on scripted networks, recorded as `shutwatch run` would: two networks, two controls, and
every kind of trouble once, so that there is something to judge again.

The story is told in five-minute turns. All vantages look side by side, so that they share controls.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

import msgspec

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.verdict import PlatformVerdict, Verdict
from monitor.app.cycle_job import measure_and_judge
from monitor.config.settings import Settings, ThrottlingSettings
from monitor.measuring.controls import LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.http3 import Http3
from monitor.measuring.probers import Probers
from monitor.measuring.transfers import Transfers
from monitor.metrics.publisher import Publisher
from monitor.recording.recorder import Recorder
from probes.settings import ProbeSettings
from probes.testing import HANG, DnsReply, Peer, ScriptedNetwork, reset_by_peer
from probes.vantage import Profile, VantagePoint
from storage.store import Store
from storage.values.cycle import Cycle
from tests.contract.listing import EVERYTHING, flat
from tests.unit.monitor.measuring.test_cycle import (
    ADDRESS,
    CONTROL,
    FIELD,
    OPEN,
    POOL,
    REFERENCES,
    RESOLVER,
    SITES,
    catalogue,
    now,
    page,
)
from tests.worlds.build import START
from tests.worlds.memory_store import MemoryStore
from tests.worlds.scripted_quic import quic_site

INTERVAL = 300.0
TURNS = 17
JAZZ = msgspec.structs.replace(FIELD, id="lhe-jazz", asn=45669)
QUIET = msgspec.structs.replace(FIELD, id="isb-quiet", asn=38264, profile=Profile.QUIET)
OTHER_CONTROL = msgspec.structs.replace(CONTROL, id="ctl-fra", country="DE")
FIELDS, CONTROLS = (FIELD, JAZZ, QUIET), (CONTROL, OTHER_CONTROL)
X = SITES[:2]
SIZE = 64 * 1024
ELSEWHERE = "203.0.113.90"


def _answer(sent: int = SIZE) -> tuple[bytes, ...]:
    head = f'HTTP/1.1 200 OK\r\nAlt-Svc: h3=":443"\r\nContent-Length: {SIZE}\r\n\r\n'.encode()
    return (head, *(bytes(4096) for _ in range(sent // 4096)))


SITE = Peer(connect_delay=0.02, tls_delay=0.02, replies=_answer(), reply_delay=0.002)
STALLS = msgspec.structs.replace(SITE, replies=(*_answer(12288), HANG))
RESETS = Peer(tls=reset_by_peer(), chain=())
SILENT = Peer(connect=HANG)


def settings(trust: str, database: str = "memory:") -> Settings:
    """Of the whole installation; `trust` is the file of the authority that HTTP/3 goes by."""
    return Settings(
        interval=INTERVAL,
        database=database,
        vantages=(*FIELDS, *CONTROLS),
        catalog=catalogue(),
        probe=ProbeSettings(
            rate=10_000,
            bogon_allow=("203.0.113.0/24", "192.0.2.0/24"),
            open_resolvers=(OPEN,),
            doh_resolvers=(),
            trust_anchors=(trust,),
            quic_share=1.0,
        ),
        throttling=ThrottlingSettings(every=900.0, object_bytes=SIZE, deadline=2.0),
    )


class Story:
    """The world as it changes from turn to turn."""

    def __init__(self, configured: Settings) -> None:
        self.settings = configured
        self.networks = {v.id: self._network() for v in configured.vantages}

    def _network(self) -> ScriptedNetwork:
        network = ScriptedNetwork(families=("ipv4",))
        names = network.resolver(RESOLVER)
        network.resolver(OPEN)
        for host, address in {**ADDRESS, "www.wikipedia.org": ELSEWHERE}.items():
            names.answers(host, "A", DnsReply(addresses=(address,)))
            network.peer(address, 443, page() if host in REFERENCES else SITE)
            network.peer(address, 80, page())
        for host in SITES:
            network.datagram_peer(ADDRESS[host], 443, quic_site(host))
        for address in POOL:
            network.peer(address, 443, Peer())
        return network

    def site(self, host: str, peer: Peer, *vantages: VantagePoint) -> None:
        """What a host does to these vantages, from now on; to all when none is named."""
        for vantage in vantages or self.settings.vantages:
            self.networks[vantage.id].peer(ADDRESS[host], 443, peer)

    def turn(self, number: int) -> None:
        """What happens before that turn."""
        changes: Mapping[int, Callable[[], None]] = {
            2: self._blocks,
            5: self._outage,
            7: self._uplink_dies,
            8: self._uplink_is_back,
            9: self._lifted,
            10: self._out_for_a_while,
            11: self._slowed_and_without_quic,
            14: self._all_well,
            15: self._trouble_ends_in_mid_cycle,
        }
        changes.get(number, lambda: None)()

    def _blocks(self) -> None:
        for host in X:
            self.site(host, RESETS, FIELD)
            for vantage in (JAZZ, QUIET):
                names = self.networks[vantage.id].resolver(RESOLVER)
                names.answers(host, "A", DnsReply(rcode="NXDOMAIN"))
        for address in POOL:
            self.networks[FIELD.id].peer(address, 443, SILENT)

    def _outage(self) -> None:
        self.site("www.facebook.com", RESETS)

    def _cut_off(self, vantage: VantagePoint) -> None:
        for address in (*ADDRESS.values(), ELSEWHERE):
            self.networks[vantage.id].peer(address, 443, SILENT)
            self.networks[vantage.id].peer(address, 80, SILENT)

    def _connect(self, vantage: VantagePoint) -> None:
        for host in (*SITES, *REFERENCES):
            self.site(host, page() if host in REFERENCES else SITE, vantage)
            self.networks[vantage.id].peer(ADDRESS[host], 80, page())
        self.networks[vantage.id].peer(ELSEWHERE, 443, SITE)

    def _out_for_a_while(self) -> None:
        """In the middle of a cycle of the vantage that takes its time, unnoticed at its ends."""
        loop = asyncio.get_running_loop()
        loop.call_later(15.0, self._cut_off, QUIET)
        loop.call_later(120.0, self._connect, QUIET)

    def _uplink_dies(self) -> None:
        self._cut_off(FIELD)

    def _uplink_is_back(self) -> None:
        self._connect(FIELD)
        for host in X:
            self.site(host, RESETS, FIELD)

    def _lifted(self) -> None:
        for host in (*X, "www.facebook.com"):
            self.site(host, SITE)
        for vantage in (JAZZ, QUIET):
            names = self.networks[vantage.id].resolver(RESOLVER)
            for host in X:
                names.answers(host, "A", DnsReply(addresses=(ADDRESS[host],)))
        for address in POOL:
            self.networks[FIELD.id].peer(address, 443, Peer())

    def _slowed_and_without_quic(self) -> None:
        self.site("www.youtube.com", STALLS, JAZZ)
        self.networks[FIELD.id].datagram_peer(ADDRESS["t.co"], 443, lambda _: ())

    def _all_well(self) -> None:
        self.site("www.youtube.com", SITE)

    def _trouble_ends_in_mid_cycle(self) -> None:
        """Whatever speaks TLS is reset, until just before the last round of references."""
        for host in REFERENCES:
            self.networks[FIELD.id].peer(ADDRESS[host], 443, RESETS, RESETS, page())
        for host in SITES:
            self.site(host, RESETS, FIELD)
        asyncio.get_running_loop().call_later(INTERVAL / 2, self._connect, FIELD)


async def record(configured: Settings, store: Store, turns: int = TURNS) -> None:
    """Live through the story and store it, through the monitor's own recorder."""
    story = Story(configured)
    publisher = Publisher(configured.vantages, configured.catalog, now)
    recorder = Recorder(configured, store, publisher, now=now)
    await recorder.restore()
    rng = random.Random(1)
    probers = Probers(configured, now=now, make_network=lambda v: story.networks[v.id])
    async with probers:
        controls = LocalControls(probers, CONTROLS)
        runner = CycleRunner(
            configured,
            probers,
            controls,
            rng,
            None,
            Transfers(configured, probers, controls, rng),
            Http3(1.0, rng),
        )

        async def cycle(vantage: VantagePoint) -> None:
            await recorder.record(await measure_and_judge(runner, vantage.id))

        for number in range(turns):
            story.turn(number)
            await asyncio.gather(*(cycle(vantage) for vantage in configured.vantages))
            over = START + timedelta(seconds=INTERVAL * (number + 1)) - now()
            await asyncio.sleep(max(0.0, over.total_seconds()))


async def recorded(configured: Settings) -> MemoryStore:
    """A store with the whole story in it."""
    store = MemoryStore(page=50)
    await store.open()
    await record(configured, store)
    return store


async def cycles_of(store: Store) -> list[Cycle]:
    """What a store holds, in the order it ended."""
    looks, verdicts = (
        await flat(store.measurements(EVERYTHING)),
        await flat(store.verdicts(EVERYTHING)),
    )
    platforms = await flat(store.platforms(EVERYTHING))
    return [
        Cycle(
            id=one.id,
            vantage=one.vantage,
            country=one.country,
            started_at=one.started_at,
            finished_at=one.finished_at,
            health=one.health,
            measurements=tuple(look for look in looks if look.cycle == one.id),
            verdicts=tuple(verdict for verdict in verdicts if verdict.cycle == one.id),
            platforms=tuple(platform for platform in platforms if platform.cycle == one.id),
        )
        for one in await flat(store.cycles(EVERYTHING))
    ]


async def store_all(
    cycles: Iterable[Cycle],
    store: Store,
    configured: Settings,
    verdict: Callable[[Verdict], Verdict] = lambda one: one,
    platform: Callable[[PlatformVerdict], PlatformVerdict] = lambda one: one,
) -> None:
    """Store cycles and their events as if other rules had judged them: `verdict` and `platform`
    say what those would have made of each verdict."""
    book = EventBook()
    for one in cycles:
        judged = msgspec.structs.replace(
            one,
            verdicts=tuple(map(verdict, one.verdicts)),
            platforms=tuple(map(platform, one.platforms)),
        )
        step = advance(book, judged.platforms, configured.events, health=judged.health)
        book = step.book
        await store.save(judged, step.changed, step.log)
