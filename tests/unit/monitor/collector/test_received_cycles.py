"""What agents hand in is judged as a monitor on the spot would have judged it."""

import asyncio
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from monitor.analysis.measurement_summary import host_of
from monitor.analysis.verdict import PlatformVerdict, State, Verdict
from monitor.collector.control_parts import LONGEST, ControlParts
from monitor.collector.received_cycles import ReceivedCycles
from monitor.config.settings import Settings
from probes.failure_strings import Failure
from probes.measurement import Layer, Measurement, Purpose
from probes.testing import VirtualClockLoop
from probes.vantage import VantageRole
from storage.values.cycle import Cycle, StoredCycle
from storage.values.fleet import WaitingCycle
from tests.contract.listing import EVERYTHING, flat
from tests.lab.certificates import authority
from tests.worlds import build
from tests.worlds.build import START, dns, tcp, tls
from tests.worlds.memory_store import MemoryStore
from tests.worlds.rejudge_world import INTERVAL, QUIET, recorded, settings

LOOP = VirtualClockLoop


class Shelf(MemoryStore):
    """Looks that were stored, by cycle and by time."""

    def __init__(self, looks: list[Measurement]) -> None:
        super().__init__()
        self.looks = looks
        self.read: list[tuple[datetime, datetime]] = []
        """Times for which looks of controls were read."""

    async def measurements_of(self, cycle: WaitingCycle) -> list[Measurement]:
        """Those that carry its id."""
        return [look for look in self.looks if look.cycle == cycle.id]

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        """Those of controls, by start."""
        self.read.append((since, until))
        return sorted(
            (
                look
                for look in self.looks
                if look.vantage_role == VantageRole.CONTROL
                and look.look in (Purpose.CONTROL, Purpose.REFERENCE)
                and since <= look.started_at < until
            ),
            key=lambda look: (look.started_at, look.id),
        )


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The installation of the story."""
    path = tmp_path_factory.mktemp("trust") / "anchor.pem"
    path.write_bytes(authority().cert_pem.bytes())
    return settings(str(path))


@pytest.fixture(scope="module")
def lived(configured: Settings) -> MemoryStore:
    """The story as a monitor by itself recorded it."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(recorded(configured))


def waiting(cycle: StoredCycle, *, backfilled: bool = False) -> WaitingCycle:
    """The cycle as it waits at a collector."""
    return WaitingCycle(
        country=cycle.country,
        id=cycle.id,
        vantage=cycle.vantage,
        started_at=cycle.started_at,
        finished_at=cycle.finished_at,
        received_at=cycle.finished_at + timedelta(seconds=1),
        health=cycle.health,
        hurried=False,
        backfilled=backfilled,
    )


async def received_batches(
    lived: MemoryStore, configured: Settings, looks: list[Measurement]
) -> list[Cycle]:
    """Every cycle judged by a collector that stored these looks."""
    judge = ReceivedCycles(configured, Shelf(looks))
    return [
        await judge.judge(await judge.open(waiting(one)))
        for one in await flat(lived.cycles(EVERYTHING))
    ]


def timeless(verdict: Verdict) -> Verdict:
    """The verdict without the moment of judging, which is the cycle's end at a collector."""
    return replace(verdict, judged_at=START)


def timeless_platform(verdict: PlatformVerdict) -> PlatformVerdict:
    """The same."""
    return replace(verdict, judged_at=START)


async def test_handed_in_it_comes_to_the_same(lived: MemoryStore, configured: Settings) -> None:
    """Every verdict, platform verdict and health of the story, in which everything happens once,
    is what the monitor on the spot concluded, ids of controls included."""
    cycles = await received_batches(lived, configured, await flat(lived.measurements(EVERYTHING)))
    live = {
        (v.cycle, v.platform, v.function, v.endpoint): v
        for v in await flat(lived.verdicts(EVERYTHING))
    }
    judged = {
        (v.cycle, v.platform, v.function, v.endpoint): v for one in cycles for v in one.verdicts
    }
    assert {key: timeless(one) for key, one in judged.items()} == {
        key: timeless(one) for key, one in live.items()
    }
    platforms = {(v.cycle, v.platform): timeless_platform(v) for c in cycles for v in c.platforms}
    assert platforms == {
        (v.cycle, v.platform): timeless_platform(v) for v in await flat(lived.platforms(EVERYTHING))
    }
    health = {one.id: one.health for one in await flat(lived.cycles(EVERYTHING))}
    assert {one.id: one.health for one in cycles} == health


async def test_it_is_judged_at_the_end_of_the_cycle(
    lived: MemoryStore, configured: Settings
) -> None:
    """Whenever it comes in: so the same measurements make the same events."""
    cycles = await received_batches(lived, configured, await flat(lived.measurements(EVERYTHING)))
    assert all(v.judged_at == one.finished_at for one in cycles for v in one.verdicts)
    assert all(v.judged_at == one.finished_at for one in cycles for v in one.platforms)


async def test_a_clock_that_was_wrong_excuses_certificates_and_no_lie(
    lived: MemoryStore, configured: Settings
) -> None:
    """With a clock years off certificates fail for the clock's sake. The times that come in are
    corrected and show nothing of it; that the vantage's own word tells, and it is believed."""
    accused = await _accused(lived, QUIET.id)
    looks = await flat(lived.measurements(EVERYTHING))
    off = replace(accused, health=replace(accused.health, clock_skew=-86400.0 * 365))
    found = {}
    for clock, cycle in (("right", accused), ("wrong", off)):
        for name, seen in (("lies", looks), ("spoiled", [_spoiled(look) for look in looks])):
            judge = ReceivedCycles(configured, Shelf(seen))
            judged = await judge.judge(await judge.open(waiting(cycle)))
            found[clock, name] = {verdict.state for verdict in _of_x(judged)}
            if clock == "wrong":
                assert judged.health.rule_id == "vantage.clock_skew"
    assert found["right", "lies"] == found["wrong", "lies"] == {State.BLOCKED}
    assert found["right", "spoiled"] == {State.BLOCKED}
    assert found["wrong", "spoiled"] == {State.INSUFFICIENT}


async def test_a_control_that_looked_afterwards_serves(
    lived: MemoryStore, configured: Settings
) -> None:
    """Whoever could ask no control at once is judged by looks that one made by the clock, as long
    as they began after the failure; with none that did, failures alone are insufficient."""
    looks = await flat(lived.measurements(EVERYTHING))
    accused = await _accused(lived, QUIET.id)
    own = [
        look
        for look in looks
        if look.cycle == accused.id and look.vantage_role == VantageRole.FIELD
    ]
    of_controls = [
        look for look in looks if look.cycle == accused.id and look.look is Purpose.CONTROL
    ]
    rounds = [
        look
        for look in looks
        if look.vantage_role == VantageRole.CONTROL and look.look is Purpose.REFERENCE
    ]
    judge = ReceivedCycles(configured, Shelf([*own, *rounds]))
    alone = await judge.open(waiting(accused))
    assert alone.lacking
    assert not any(v.state is State.BLOCKED for v in _of_x(await judge.judge(alone)))

    last = max(lack.ended_at for lack in alone.lacking)
    later = [
        _moved(look, timedelta(seconds=INTERVAL), cycle="a control's own") for look in of_controls
    ]
    assert all(look.started_at.timestamp() >= last for look in later)
    judge = ReceivedCycles(configured, Shelf([*own, *rounds, *later]))
    opened = await judge.open(waiting(accused))
    assert opened.lacking == ()
    assert any(v.state is State.BLOCKED for v in _of_x(await judge.judge(opened)))

    earlier = [_moved(look, timedelta(seconds=-INTERVAL), cycle="before") for look in of_controls]
    judge = ReceivedCycles(configured, Shelf([*own, *rounds, *earlier]))
    opened = await judge.open(waiting(accused))
    assert opened.lacking == alone.lacking
    assert not any(v.state is State.BLOCKED for v in _of_x(await judge.judge(opened)))


async def test_attack_cycles_that_lasted_for_weeks_do_not_fill_the_memory(
    lived: MemoryStore, configured: Settings
) -> None:
    """Each of 30 such cycles, which were in one batch of 3 KB, had the leader read and keep all
    that controls measured since its beginning. Of any, the last hours are read, once for all."""
    accused = await _accused(lived, QUIET.id)
    store = Shelf(await flat(lived.measurements(EVERYTHING)))
    judge = ReceivedCycles(configured, store)
    for number in range(30):
        begun = accused.started_at - timedelta(days=29, minutes=10 * number)
        await judge.open(waiting(replace(accused, started_at=begun)))
    first = min(since for since, _ in store.read)
    assert accused.finished_at - first <= LONGEST + timedelta(seconds=INTERVAL)
    assert len(set(store.read)) == len(store.read)


async def test_attack_cycles_of_many_times_do_not_fill_the_memory() -> None:
    """What controls measured in the parts read last stays remembered, up to a number of rows."""
    looks = [
        replace(
            build.look(dns(), kind=Purpose.CONTROL, id=f"{number}"),
            vantage_role=VantageRole.CONTROL,
            started_at=START + timedelta(seconds=number),
        )
        for number in range(1000)
    ]
    measured = ControlParts(Shelf(looks), 300.0, most=500)
    for number in range(0, 1000, 100):
        at = START + timedelta(seconds=number)
        found = await measured.between(at, at + timedelta(seconds=99))
        assert set(looks[number : number + 99]) <= set(found)
        assert measured.remembered <= 500


async def test_what_failed_long_before_the_end_is_held_against_controls_of_that_time_alone(
    lived: MemoryStore, configured: Settings
) -> None:
    """A machine slept in mid-cycle, or says so. What controls measured by the clock at the time of
    the failure is not read, and that they got through a day later proves nothing; what they
    measured for this cycle does."""
    accused = await _accused(lived, QUIET.id)
    slept = replace(accused, finished_at=accused.finished_at + timedelta(days=1))
    looks = await flat(lived.measurements(EVERYTHING))
    own = [
        one for one in looks if one.cycle == accused.id and one.vantage_role == VantageRole.FIELD
    ]
    for_it = [one for one in looks if one.cycle == accused.id and one not in own]
    rounds = [
        one
        for one in looks
        if one.vantage_role == VantageRole.CONTROL
        and one.look is Purpose.REFERENCE
        and one.started_at <= accused.finished_at
    ]
    by_clock = [
        _moved(one, timedelta(days=1), cycle="a control's own") for one in (*for_it, *rounds)
    ]
    judge = ReceivedCycles(configured, Shelf([*own, *by_clock]))
    opened = await judge.open(waiting(slept))
    assert opened.lacking
    assert not any(v.state is State.BLOCKED for v in _of_x(await judge.judge(opened)))
    judge = ReceivedCycles(configured, Shelf([*own, *for_it, *by_clock]))
    opened = await judge.open(waiting(slept))
    assert not opened.lacking
    assert any(v.state is State.BLOCKED for v in _of_x(await judge.judge(opened)))


async def _accused(lived: MemoryStore, vantage: str) -> StoredCycle:
    """The first cycle of a vantage in which X is blocked there."""
    blocked = {
        v.cycle
        for v in await flat(lived.platforms(EVERYTHING))
        if (v.vantage, v.platform, v.state) == (vantage, "x", State.BLOCKED)
    }
    return next(one for one in await flat(lived.cycles(EVERYTHING)) if one.id in blocked)


def _of_x(cycle: Cycle) -> list[PlatformVerdict]:
    return [verdict for verdict in cycle.platforms if verdict.platform == "x"]


def _spoiled(look: Measurement) -> Measurement:
    """The same with a certificate that is not valid in place of a name that does not exist."""
    if not any(o.failure == Failure.DNS_NXDOMAIN for o in look.of(Layer.DNS)):
        return look
    host = host_of(look.endpoint)
    invalid = tls(Failure.SSL_INVALID_CERTIFICATE.value, server_name=host)
    return replace(look, observations=(dns(name=host), tcp(), invalid))


def _moved(look: Measurement, by: timedelta, cycle: str) -> Measurement:
    return replace(look, id=f"{look.id} {cycle}", cycle=cycle, started_at=look.started_at + by)
