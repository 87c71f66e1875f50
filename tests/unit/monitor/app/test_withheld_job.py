"""Pages that a platform withholds, from the network to every surface."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import msgspec
import pytest
from prometheus_client import generate_latest

from monitor.analysis.verdict import VantageState
from monitor.app.withheld_job import WithheldJob
from monitor.config.load import default_settings
from monitor.config.settings import Settings, WithheldSettings
from monitor.export.csv import write_csv
from monitor.export.kinds import Kind
from monitor.measuring.probers import Probers
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from probes.catalog.public_pages import public_page
from probes.layers.scripted_pages import LEGAL, video_page
from probes.testing import DnsReply, Peer, ScriptedNetwork
from probes.vantage import Resolver, VantagePoint, VantageRole
from storage.values.selection import Selection
from tests.prometheus import world
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

AT = datetime(2024, 2, 17, 14, 37, tzinfo=UTC)
VIDEO = public_page("https://www.youtube.com/watch?v=dQw4w9WgXcQ")
YOUTUBE = "151.101.1.229"
RESOLVER = Resolver(address="192.0.2.53")
HERE = world.vantage("khi", resolver=RESOLVER)
CONTROL = world.vantage("fra", country="DE", asn=3320, role=VantageRole.CONTROL, resolver=RESOLVER)


class Watch:
    """A monitor with a vantage in Pakistan and a control in Germany."""

    def __init__(self, store: MemoryStore) -> None:
        assert VIDEO is not None
        self.clock = AT
        self.store = store
        self.publisher = world.publisher(vantages=(HERE, CONTROL), now=lambda: self.clock)
        self.settings: Settings = msgspec.structs.replace(
            default_settings(),
            vantages=(HERE, CONTROL),
            withheld=WithheldSettings(pages=(VIDEO,)),
        )
        self.reasons = {"khi": LEGAL, "fra": ""}
        """Vantage → why YouTube does not play the video there."""
        self.asked: list[str] = []

    def network(self, vantage: VantagePoint) -> ScriptedNetwork:
        """YouTube, as it answers there."""

        def answer(sent: bytes) -> bytes:
            assert sent.startswith(b"GET /watch?v=dQw4w9WgXcQ&hl=en HTTP/1.1")
            self.asked.append(vantage.id)
            body = video_page("dQw4w9WgXcQ", reason=self.reasons[vantage.id])
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            return head.encode() + body

        network = ScriptedNetwork()
        reply = DnsReply(addresses=(YOUTUBE,))
        network.resolver(RESOLVER.address).answers("www.youtube.com", "A", reply)
        network.peer(YOUTUBE, 443, Peer(replies=(answer,)))
        return network

    async def rounds(self, number: int) -> None:
        """So many, each by a new process."""
        for _ in range(number):
            probers = Probers(self.settings, now=lambda: self.clock, make_network=self.network)
            async with probers:
                await self.job(probers).round(self.settings.withheld.pages)
            self.clock += timedelta(hours=6)

    def job(self, probers: Probers) -> WithheldJob:
        """The one of this monitor, which goes on."""
        if not hasattr(self, "_job"):
            self._job = WithheldJob(
                lambda: self.settings,
                lambda: self._probers,
                self.store,
                self.publisher,
                now=lambda: self.clock,
            )
        self._probers = probers
        return self._job

    async def health(self, state: VantageState = VantageState.OK) -> None:
        """What the references told about the vantage in Pakistan."""
        self.clock += timedelta(minutes=5)
        made = world.cycle(HERE, (), at=self.clock, measurements=())
        known = world.health(HERE, self.clock, state)
        whole = msgspec.structs.replace(made, id=f"cycle {state}", health=known)
        await self.store.save(whole, [])

    def metrics(self) -> str:
        """What a scrape gets."""
        text = generate_latest(create_registry(self.publisher)).decode()
        return "\n".join(line for line in text.splitlines() if "withheld" in line)

    async def get(self, path: str) -> str:
        """A page or an answer of the API."""
        app = create_app(self.publisher, create_registry(self.publisher), store=self.store)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as asking:
            answer = await asking.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """One that begins."""
    store = MemoryStore()
    await store.open()
    made = Watch(store)
    await made.health()
    yield made
    await store.close()


async def test_a_withheld_video_is_told_on_every_surface(watch: Watch) -> None:
    """After two looks, in the same words; it is no event, and no platform is blocked by it."""
    await watch.rounds(1)
    assert "shutwatch_withheld_info{" not in watch.metrics()
    await watch.rounds(1)
    said = "YouTube withholds a video in Pakistan; it was offered in Germany"
    assert said in watch.metrics()
    assert 'shutwatch_withheld_pages{country="PK",said="withheld"} 1.0' in watch.metrics()
    page = await watch.get("/withheld")
    assert said in page
    assert "withheld by the platform" in page
    answer = await watch.get("/api/v1/withheld?country=PK")
    (row,) = msgspec.json.decode(answer)["data"]
    assert (row["url"], row["kind"]) == ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "video")
    assert (row["since"], row["rounds"]) == ("2024-02-17T14:00:00.000000Z", 2)
    out = StringIO()
    assert await write_csv(Kind.WITHHELD, watch.store, Selection(), out) == 1
    assert [one async for several in watch.store.events(Selection()) for one in several] == []
    assert watch.publisher.snapshot.events == {}


async def test_what_is_offered_again_is_over_and_kept(watch: Watch) -> None:
    """The row stays with its end; the metric goes."""
    await watch.rounds(2)
    watch.reasons["khi"] = ""
    await watch.rounds(1)
    assert "shutwatch_withheld_info{" not in watch.metrics()
    (kept,) = await watch.store.withheld("PK")
    assert kept.over_at is not None
    assert await watch.store.withheld("PK", since=watch.clock) == []


async def test_a_vantage_that_is_not_well_says_nothing(watch: Watch) -> None:
    """It may be elsewhere than it is said to be: not seen, and not asked."""
    await watch.health(VantageState.UNKNOWN)
    await watch.rounds(3)
    assert "khi" not in watch.asked
    assert await watch.store.withheld() == []
    assert 'shutwatch_withheld_pages{country="PK",said="not_seen"} 1.0' in watch.metrics()


async def test_a_vantage_that_moved_is_not_asked_before_it_is_well_there(watch: Watch) -> None:
    """It was well in the country that it left."""
    (khi,) = [one for one in watch.settings.vantages if one.id == "khi"]
    moved = msgspec.structs.replace(khi, country="IR")
    others = tuple(one for one in watch.settings.vantages if one.id != "khi")
    watch.settings = msgspec.structs.replace(watch.settings, vantages=(moved, *others))
    await watch.rounds(1)
    assert "khi" not in watch.asked


async def test_what_is_withheld_everywhere_is_no_difference(watch: Watch) -> None:
    """Nor is what the control cannot tell."""
    watch.reasons["fra"] = LEGAL
    await watch.rounds(3)
    assert await watch.store.withheld() == []


async def test_it_goes_on_after_a_restart(watch: Watch) -> None:
    """With the hour in which it was first seen."""
    await watch.rounds(2)
    first = watch.clock
    del watch._job
    async with Probers(watch.settings, now=lambda: watch.clock, make_network=watch.network) as p:
        await watch.job(p).restore()
    await watch.rounds(1)
    (kept,) = await watch.store.withheld()
    assert (kept.rounds, kept.since < first - timedelta(hours=11)) == (3, True)


async def test_nothing_is_asked_without_pages(watch: Watch) -> None:
    """It is off by default, and what was shown goes with the pages."""
    assert default_settings().withheld.pages == ()
    await watch.rounds(2)
    watch.settings = msgspec.structs.replace(watch.settings, withheld=WithheldSettings())
    watch.asked.clear()
    await watch.rounds(1)
    assert watch.asked == []
    assert "{" not in watch.metrics()
    assert watch.publisher.snapshot.withheld == ()


async def test_nothing_is_told_of_a_country_that_nobody_looks_from(watch: Watch) -> None:
    """Its last vantage left the configuration: no look could show that it is over."""
    await watch.rounds(2)
    assert "YouTube withholds a video in Pakistan" in watch.metrics()
    watch.settings = msgspec.structs.replace(watch.settings, vantages=(CONTROL,))
    await watch.rounds(1)
    assert "Pakistan" not in watch.metrics()
    del watch._job
    async with Probers(watch.settings, now=lambda: watch.clock, make_network=watch.network) as p:
        await watch.job(p).restore()
    await watch.rounds(1)
    assert "Pakistan" not in await watch.get("/withheld")
    (kept,) = await watch.store.withheld("PK")
    assert (kept.rounds, kept.over_at) == (2, None)
