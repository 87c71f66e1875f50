"""A day on a machine whose clock is set back and forth: nothing of it shows in what is recorded."""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from itertools import pairwise

import pytest

from monitor.analysis.events.event import Event, EventKind
from monitor.app.cycle_job import CycleJobs
from monitor.app.cycle_runners import CycleRunners, cycle_runner
from monitor.app.schedule import Schedule
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from monitor.metrics.publisher import Publisher
from monitor.recording.recorder import Recorder
from probes.catalog.catalog import Catalog, Function, Platform, Reference, ReferenceScope
from probes.catalog.endpoint_text import parse_endpoint
from probes.settings import ProbeSettings
from probes.testing import DnsReply, Peer, ScriptedNetwork, VirtualClockLoop, reset_by_peer
from probes.vantage import Resolver, VantagePoint, VantageRole
from storage.values.cycle import StoredCycle
from storage.values.selection import Selection
from storage.values.steady_clock import Clocks, SteadyClock
from tests.worlds.memory_store import MemoryStore

LOOP = VirtualClockLoop
HOUR, DAY, MINUTE = 3600.0, 86400.0, 60.0
START = datetime(2024, 3, 30, 14, 0, tzinfo=UTC)
"""The night brings the change to summer time in much of the world."""
RESOLVER = "192.0.2.53"
ADDRESSES = {
    host: f"203.0.113.{10 + number}"
    for number, host in enumerate(("x.com", "one.example", "two.example", "three.example"))
}
BLOCK = (4.03 * HOUR, 15.03 * HOUR)
"""From when to when the field vantages are blocked from x.com."""
TROUBLE = (
    (2.0, 2.5, -HOUR),
    (5.0, 5.7, HOUR),
    (8.0, 10.0, -DAY),
    (11.0, 12.5, DAY),
    (14.8, 15.4, -HOUR),
    (16.0, 16.2, -2 * DAY),
    (21.0, 24.1, HOUR),  # a machine that keeps local time, in summer
)
"""Hours from when to when the machine's clock is wrong, and by how many seconds."""
DRIFT = (17.0, 20.0, 0.03)
"""Hours from when to when it drifts, and the seconds it gains each second."""


LOG = [
    *("opened", "network_affected", "confirmed"),
    *("network_recovering", "network_recovering", "recovering"),
    *("network_recovered", "network_recovered", "ended"),
]
"""What happens to the one event of that day. Each network alone only suspects what it sees."""


def field(number: int) -> VantagePoint:
    """One of two networks of one country."""
    return VantagePoint(
        id=f"khi-{number}",
        country="PK",
        asn=64500 + number,
        network=f"Network {number}",
        resolver=Resolver(address=RESOLVER),
    )


CONTROL = VantagePoint(
    id="ctl", country="NL", role=VantageRole.CONTROL, resolver=Resolver(address=RESOLVER)
)
SETTINGS = Settings(
    vantages=(field(1), field(2), CONTROL),
    catalog=Catalog(
        platforms=(
            Platform(
                name="x",
                title="X",
                owner="x",
                functions=(
                    Function(name="web", core=True, endpoints=(parse_endpoint("https://x.com/"),)),
                ),
            ),
        ),
        references=tuple(
            Reference(
                scope=ReferenceScope.INTERNATIONAL, endpoint=parse_endpoint(f"https://{host}/")
            )
            for host in tuple(ADDRESSES)[1:]
        ),
    ),
    interval=10 * MINUTE,
    jitter=0.0,
    probe=ProbeSettings(
        rate=10_000,
        retry_pause=1.0,
        bogon_allow=("203.0.113.0/24", "192.0.2.0/24"),
        open_resolvers=(),
        doh_resolvers=(),
        daily_bytes=10_000_000_000,
    ),
)


def passed() -> float:
    """Seconds since the day began, as they truly are."""
    return asyncio.get_running_loop().time()


def true_now() -> datetime:
    """UTC as it is."""
    return START + timedelta(seconds=passed())


def trouble(seconds: float) -> float:
    """Seconds by which the machine's clock is ahead, so long after the day began."""
    hours = seconds / HOUR
    drifted = (min(max(hours, DRIFT[0]), DRIFT[1]) - DRIFT[0]) * HOUR * DRIFT[2]
    return drifted + sum(by for since, until, by in TROUBLE if since <= hours < until)


class Line(ScriptedNetwork):
    """The way out of one vantage: servers with right clocks, and a block at its hours."""

    def __init__(self, blocked: bool) -> None:
        super().__init__(families=("ipv4",))
        self._blocked = blocked
        for host, address in ADDRESSES.items():
            for rtype, found in (("A", (address,)), ("AAAA", ())):
                reply = DnsReply(addresses=found, delay=0.001)
                self.resolver(RESOLVER).answers(host, rtype, reply)

    def _next_peer(self, address: str, port: int) -> Peer:
        assert port == 443
        if address == ADDRESSES["x.com"] and self._blocked and BLOCK[0] <= passed() < BLOCK[1]:
            return Peer(connect_delay=0.001, tls=reset_by_peer())
        date = format_datetime(true_now(), usegmt=True)
        head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n"
        return Peer(connect_delay=0.001, tls_delay=0.001, replies=(head.encode(),))


class Day:
    """What a day's monitor recorded."""

    def __init__(self, cycles: list[StoredCycle], events: list[Event], log: list[str]) -> None:
        self.cycles = cycles
        self.events = events
        self.log = log
        self.steps = 0
        self.worst = 0.0
        """Seconds by which our time was wrong."""
        self.ready = False
        """Whether it said so all day."""


async def day(*, wrong: bool, behind: float = 0.0, lasting: float = DAY) -> Day:
    """Run a monitor for a day, on a machine whose clock is wrong at times, or is not, or is always
    behind."""
    # The store's threads ask for the time as well.
    seconds = asyncio.get_running_loop().time

    def wall() -> float:
        return START.timestamp() - behind + seconds() + (trouble(seconds()) if wrong else 0.0)

    clock = SteadyClock(Clocks(since_boot=lambda: 1000.0 + seconds(), wall=wall))
    store = MemoryStore(clock=clock.now)
    await store.open()
    publisher = Publisher(
        SETTINGS.vantages, SETTINGS.catalog, clock.now, interval=SETTINGS.interval
    )
    recorder = Recorder(SETTINGS, store, publisher, now=clock.now)
    ledger = Ledger(SETTINGS, now=clock.now)
    lines = {v.id: Line(v.role is VantageRole.FIELD) for v in SETTINGS.vantages}
    make = partial(cycle_runner, make_network=lambda v: lines[v.id], ledger=ledger, clock=clock)
    worst, ready, ends = 0.0, True, passed() + lasting
    async with CycleRunners(make) as runners:
        runner = await runners.begin(SETTINGS, ())
        schedule = Schedule(SETTINGS, CycleJobs(runner, recorder, publisher, ledger, clock))
        schedule.start()
        while passed() < ends:
            await asyncio.sleep(20.0)
            clock.look()
            worst = max(worst, abs((clock.now() - true_now()).total_seconds()))
            ready = ready and publisher.ready()[0]
        await schedule.stop()
    cycles = [one async for page in store.cycles(Selection()) for one in page]
    events = [one async for page in store.events(Selection()) for one in page]
    log = [
        entry.change
        for event in events
        async for page in store.event_log(event.id)
        for entry in page
    ]
    await store.close()
    seen = Day(cycles, events, log)
    seen.steps, seen.worst, seen.ready = clock.steps, worst, ready
    return seen


@pytest.fixture
def summer_time() -> Iterator[None]:
    """A process in a zone whose clocks change in that night."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("summer_time")
@pytest.mark.parametrize(
    "wrong",
    [pytest.param(False, id="right", marks=pytest.mark.soak), pytest.param(True, id="wrong")],
)
async def test_a_day_of_clock_trouble_changes_nothing(wrong: bool) -> None:
    """Attack: steps of an hour, a day and two, back and forth, a clock that gains five minutes, and
    summer time. A step of -1 h stopped all cycles, and one of -1 d withdrew a confirmed event: now
    no cycle is lost, and no event is made, withdrawn or dated by the clock."""
    seen = await day(wrong=wrong)
    assert seen.steps == (2 * len(TROUBLE) - 1 if wrong else 0)
    assert seen.worst < 0.001
    assert seen.ready

    for vantage in SETTINGS.vantages:
        ends = [c.finished_at for c in seen.cycles if c.vantage == vantage.id]
        assert len(ends) >= DAY / SETTINGS.interval
        late = timedelta(seconds=SETTINGS.interval + 60)
        assert max(later - sooner for sooner, later in pairwise(ends)) < late
        assert min(ends) > START
        assert max(ends) <= START + timedelta(seconds=DAY + 60)

    (event,) = seen.events
    assert event.kind is EventKind.BLOCK
    assert seen.log == LOG
    begun, over = (START + timedelta(seconds=at) for at in BLOCK)
    late = timedelta(seconds=SETTINGS.interval + 60)
    assert event.onset_earliest is not None
    assert event.onset_earliest <= begun <= event.onset_latest <= begun + late
    assert event.end_earliest is not None
    assert event.end_latest is not None
    assert event.end_earliest <= over <= event.end_latest <= over + late
    assert event.confirmed_at is not None
    assert event.confirmed_at - begun < timedelta(hours=2)


@pytest.mark.parametrize("behind", [HOUR, -HOUR, 20 * HOUR])
async def test_a_monitor_that_starts_with_a_wrong_clock_dates_even_its_first_cycle(
    behind: float,
) -> None:
    """Attack: the monitor is restarted while its machine's clock is wrong. Servers' dates put right
    what the first cycles saw before it is recorded, so nothing lands in the past or the future."""
    seen = await day(wrong=False, behind=behind, lasting=HOUR)
    assert len(seen.cycles) >= 3 * HOUR / SETTINGS.interval
    for cycle in seen.cycles:
        late = timedelta(seconds=65)
        assert START - late <= cycle.started_at <= cycle.finished_at
        assert cycle.finished_at <= START + timedelta(seconds=HOUR) + late
        assert abs(cycle.health.at - cycle.finished_at) < late
    assert not seen.events
