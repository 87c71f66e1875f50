"""What a vantage has used of its day: taken up after a restart, and counted whatever it was for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.app.cycle_job import CycleJobs
from monitor.app.cycle_runners import cycle_runner
from monitor.app.measuring_setup import count_today
from monitor.app.schedule import Schedule
from monitor.budget.budget import NOTHING, Allotment, Effort, Spent
from monitor.budget.bytes_used import bytes_of, request_bytes
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings, VantageCheckSettings
from monitor.measuring.probers import Probers
from monitor.metrics.publisher import Publisher
from monitor.recording.recorder import Recorder
from probes.catalog.catalog import Catalog, Function, Platform, Reference, ReferenceScope
from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import Measurement, Purpose
from probes.settings import ProbeSettings
from probes.testing import DnsReply, Peer, ScriptedNetwork
from probes.vantage import Resolver, VantagePoint, VantageRole
from storage.store import StorageError
from storage.values.cycle import Cycle
from storage.values.selection import Selection
from storage.values.steady_clock import utc_now
from tests.worlds.build import START, dns, health, http, look, tcp, tls
from tests.worlds.memory_store import MemoryStore
from tests.worlds.mmdb import country, write_mmdb

RESOLVER = "192.0.2.53"
FIELD = VantagePoint(id="khi-ptcl", country="PK", asn=17557, resolver=Resolver(address=RESOLVER))
CONTROL = VantagePoint(
    id="ctl-ams", country="NL", role=VantageRole.CONTROL, resolver=Resolver(address=RESOLVER)
)
HOST, OTHER, ECHO = "x.com", "one.example", "echo.example.org"
ADDRESSES = {HOST: "203.0.113.10", OTHER: "203.0.113.11", ECHO: "203.0.113.12"}
SETTINGS = Settings(
    vantages=(FIELD, CONTROL),
    catalog=Catalog(
        platforms=(
            Platform(
                name="x",
                title="X",
                owner="x",
                functions=(
                    Function(
                        name="web", core=True, endpoints=(parse_endpoint(f"https://{HOST}/"),)
                    ),
                ),
            ),
        ),
        references=(
            Reference(
                scope=ReferenceScope.INTERNATIONAL, endpoint=parse_endpoint(f"https://{OTHER}/")
            ),
        ),
    ),
    interval=60.0,
    probe=ProbeSettings(bogon_allow=("203.0.113.0/24",), rate=10_000),
)
MIDNIGHT = START.replace(hour=0, minute=0, second=0, microsecond=0)


def seen(vantage: str, at: datetime, kind: Purpose = Purpose.SCHEDULED) -> Measurement:
    """A look from a vantage."""
    one = look(dns(), tcp(), tls(), http(), reached=True)
    return msgspec.structs.replace(
        one, id=f"{vantage} {at} {kind}", vantage=vantage, started_at=at, look=kind
    )


# -- restarts ------------------------------------------------------------------------------------


async def test_a_restart_takes_up_what_was_used_today() -> None:
    """What the store holds of today, and nothing of yesterday or of vantages that are no more,
    is counted for the same purposes as before, to the byte."""
    noon = MIDNIGHT + timedelta(hours=12)
    today = [
        seen(FIELD.id, MIDNIGHT),
        seen(FIELD.id, noon, Purpose.RETRY),
        seen(FIELD.id, noon, Purpose.TRANSFER),
        seen(CONTROL.id, noon, Purpose.CONTROL),
    ]
    before = Ledger(SETTINGS, now=lambda: noon)
    for one in today:
        before.count(one)
    assert before.spent(FIELD.id).looks == before.spent(FIELD.id).speed > 0
    store = MemoryStore()
    await store.open()
    others = [seen(FIELD.id, MIDNIGHT - timedelta(seconds=1)), seen("gone", noon)]
    await store.save(
        Cycle(
            id="1",
            vantage=FIELD.id,
            country="PK",
            started_at=noon,
            finished_at=noon,
            health=health(),
            measurements=(*today, *others),
            verdicts=(),
            platforms=(),
        )
    )
    after = Ledger(SETTINGS, now=lambda: noon)
    await after.restore(store, [vantage.id for vantage in SETTINGS.vantages])
    assert after.spent(FIELD.id) == before.spent(FIELD.id)
    assert (
        after.spent(CONTROL.id) == before.spent(CONTROL.id) == Spent(suspicion=bytes_of(today[0]))
    )


async def test_a_restart_takes_up_nothing_of_days_that_are_to_come() -> None:
    """A clock that was years ahead left them: as of today they would use up every day that begins
    with a restart, and as of their own day nothing was counted until then."""
    noon = MIDNIGHT + timedelta(hours=12)
    store = MemoryStore()
    await store.open()
    today, ahead = seen(FIELD.id, noon), seen(FIELD.id, noon + timedelta(days=700))
    await store.save(
        Cycle(
            id="1",
            vantage=FIELD.id,
            country="PK",
            started_at=noon,
            finished_at=noon,
            health=health(),
            measurements=(today, ahead),
            verdicts=(),
            platforms=(),
        )
    )
    ledger = Ledger(SETTINGS, now=lambda: noon)
    await ledger.restore(store, [FIELD.id])
    assert ledger.spent(FIELD.id) == Spent(looks=bytes_of(today))
    ledger.count(today)
    assert ledger.spent(FIELD.id) == Spent(looks=2 * bytes_of(today))


class BrokenStore(MemoryStore):
    """One whose measurements cannot be read."""

    def measurements(self, selection: Selection) -> AsyncIterator[Sequence[Measurement]]:
        """Fails as a database does."""
        raise StorageError("read", f"disk gone, {selection.since} wanted")


def network() -> ScriptedNetwork:
    """All is well."""
    scripted = ScriptedNetwork(families=("ipv4",))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n203.0.113.99"
    for host, address in ADDRESSES.items():
        scripted.resolver(RESOLVER).answers(host, "A", DnsReply(addresses=(address,)))
        scripted.peer(address, 443, Peer(replies=(answer,)))
    return scripted


@pytest.mark.parametrize("store", [MemoryStore(), BrokenStore()], ids=["readable", "broken"])
async def test_a_store_that_cannot_tell_keeps_nobody_from_looking(store: MemoryStore) -> None:
    """Whether or not it is known what was used today, vantages look, and what they then use is
    counted and shown."""
    await store.open()
    publisher = Publisher(SETTINGS.vantages, SETTINGS.catalog, utc_now, interval=60.0)
    ledger = Ledger(SETTINGS, now=utc_now)
    recorder = Recorder(SETTINGS, store, publisher, now=utc_now)
    networks = {vantage.id: network() for vantage in SETTINGS.vantages}
    async with cycle_runner(
        SETTINGS, make_network=lambda v: networks[v.id], ledger=ledger
    ) as runner:
        schedule = Schedule(SETTINGS, CycleJobs(runner, recorder, publisher, ledger))
        await count_today(ledger, store, [vantage.id for vantage in SETTINGS.vantages])
        schedule.start()
        try:
            async with asyncio.timeout(20):
                while any(  # noqa: ASYNC110 # snapshots are swapped, and tell nobody
                    view.last_success_at is None for view in publisher.snapshot.vantages
                ):
                    await asyncio.sleep(0.02)
        finally:
            await schedule.stop()
    for view in publisher.snapshot.vantages:
        assert view.cycles[Effort.WHOLE] == 1
        assert view.day_bytes is not None
        assert view.day_bytes[1] == ledger.spent(view.point.id).total > 0


async def test_a_hurried_cycle_is_paid_by_suspicion_alone() -> None:
    """References included, or hurry would take the bytes that the schedule lives on."""
    ledger = Ledger(SETTINGS, now=utc_now)
    scripted = network()
    async with cycle_runner(SETTINGS, make_network=lambda _: scripted, ledger=ledger) as runner:
        await runner.run(FIELD.id, Effort.OUT_OF_TURN, {"x"})
        hurried = ledger.spent(FIELD.id)
        assert hurried == Spent(suspicion=hurried.total)
        assert hurried.total > 0
        await runner.run(FIELD.id, Effort.WHOLE)
    whole = ledger.spent(FIELD.id)
    assert whole.looks > 0
    assert whole.suspicion == hurried.suspicion


# -- a wrong clock -------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 3, 700])
def test_a_clock_that_was_ahead_sets_no_vantage_free(days: int) -> None:
    """Once it was put right nothing was counted until that day came. What was used by the wrong
    date is of today, also where it is all that there was; tomorrow begins at 0."""
    wrong, right = MIDNIGHT + timedelta(days=days, hours=12), MIDNIGHT + timedelta(hours=12)
    clock = wrong
    ledger = Ledger(SETTINGS, now=lambda: clock)
    ledger.count(seen(FIELD.id, wrong))
    before = ledger.spent(FIELD.id)
    clock = right
    assert ledger.spent(FIELD.id) == before
    ledger.count(seen(FIELD.id, right))
    # One that began by the wrong clock ends by the right one.
    ledger.count(seen(FIELD.id, wrong))
    assert ledger.spent(FIELD.id) == Spent(looks=3 * before.looks)
    assert ledger.buy(FIELD.id, Allotment.SPEED, 1_000)
    assert ledger.spent(FIELD.id).speed == 1_000
    clock = right + timedelta(days=1)
    assert ledger.spent(FIELD.id) == NOTHING
    ledger.count(seen(FIELD.id, clock))
    assert ledger.spent(FIELD.id) == before


def test_a_day_used_up_by_a_wrong_date_is_over_at_midnight() -> None:
    """Nothing is paid that day any more, so the first question must date it anew."""
    clock = MIDNIGHT + timedelta(days=3, hours=12)
    ledger = Ledger(SETTINGS, now=lambda: clock)
    assert ledger.buy(FIELD.id, Allotment.ROUTINE, 290_000_000)
    clock = MIDNIGHT + timedelta(hours=12)
    assert not ledger.lasts(FIELD.id, 5_000_000)
    clock += timedelta(days=1)
    assert ledger.lasts(FIELD.id, 5_000_000)


def test_cycles_go_on_at_their_longest_wait_after_a_clock_was_put_right() -> None:
    """The last cycle seemed to be days ahead, so none was long ago: without bytes in hand no
    cycle came at all, though the day's rest sufficed."""
    clock = MIDNIGHT + timedelta(days=3, hours=6)
    ledger = Ledger(SETTINGS, now=lambda: clock)
    assert ledger.begin_cycle(FIELD.id) is Effort.WHOLE
    ledger.cycle_done(FIELD.id, Effort.WHOLE, [seen(FIELD.id, clock)])
    assert ledger.buy(FIELD.id, Allotment.ROUTINE, 150_000_000)
    clock = MIDNIGHT + timedelta(hours=6)
    assert ledger.begin_cycle(FIELD.id) is Effort.NONE
    clock += timedelta(seconds=600)
    assert ledger.begin_cycle(FIELD.id) is Effort.MODEST


# -- what leaves no measurement ------------------------------------------------------------------


def checking(tmp_path: Path, **probe: float) -> Settings:
    """With a check of where vantages come out."""
    file = write_mmdb(tmp_path / "country.mmdb", {"203.0.113.0/24": country("PK")})
    return msgspec.structs.replace(
        SETTINGS,
        probe=msgspec.structs.replace(SETTINGS.probe, **probe),
        vantage_check=VantageCheckSettings(mmdb=(str(file),), echo=(f"https://{ECHO}/",)),
    )


async def asked(settings: Settings, times: int) -> tuple[Ledger, ScriptedNetwork, float]:
    """Ask so many times where the vantage comes out; seconds that took."""
    ledger = Ledger(settings, now=lambda: MIDNIGHT + timedelta(hours=12))
    scripted = network()
    probers = Probers(settings, now=utc_now, make_network=lambda _: scripted, ledger=ledger)
    began = asyncio.get_running_loop().time()
    async with probers:
        for _ in range(times):
            await probers.exits.ask(FIELD.id)
    return ledger, scripted, asyncio.get_running_loop().time() - began


def questions(scripted: ScriptedNetwork) -> int:
    """Connections to the server that tells addresses."""
    return scripted.connects.count((ADDRESSES[ECHO], 443))


async def test_asking_for_the_exit_counts_against_the_day(tmp_path: Path) -> None:
    """Each question is paid by the routine, though no measurement is left of it."""
    ledger, scripted, _ = await asked(checking(tmp_path), 3)
    assert questions(scripted) == 3
    assert ledger.spent(FIELD.id) == NOTHING.plus(Allotment.ROUTINE, 3 * request_bytes())
    assert 10_000 < request_bytes() < 30_000


async def test_nothing_is_asked_once_the_day_is_spent(tmp_path: Path) -> None:
    """The cap holds for what leaves no measurement, too."""
    enough_for_two = round(2.5 * request_bytes() / 0.97)
    ledger, scripted, _ = await asked(checking(tmp_path, daily_bytes=enough_for_two), 5)
    assert questions(scripted) == 2
    assert ledger.spent(FIELD.id).total <= enough_for_two


async def test_asking_for_the_exit_keeps_to_the_rate(tmp_path: Path) -> None:
    """Five questions at ten a second take 0.4 s at least, as looks would."""
    _, scripted, seconds = await asked(checking(tmp_path, rate=10.0), 5)
    assert questions(scripted) == 5
    assert seconds >= 0.35
