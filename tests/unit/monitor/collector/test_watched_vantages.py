"""A collector watches whoever is configured or enrolled, and hands over what it sees itself."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from monitor.collector.local_cycles import LocalCycles
from monitor.collector.watched_vantages import WatchedVantages
from monitor.config.settings import CollectorSettings, Settings
from monitor.recording.backlog import MOST
from probes.measurement import Purpose
from probes.vantage import Profile, VantageRole
from storage.store import StorageError
from storage.values.cycle import Cycle
from storage.values.fleet import Enrolment, ReceivedBatch, Reception, SeenCycle
from tests.contract.cycles import cycle, measurement
from tests.contract.listing import EVERYTHING, flat
from tests.unit.monitor.measuring.test_cycle import CONTROL, FIELD, catalogue
from tests.worlds.build import START
from tests.worlds.collector_world import Clock, leading, publisher_of, until
from tests.worlds.memory_store import MemoryStore


@pytest.fixture
def configured() -> Settings:
    """A collector with a control of its own."""
    return Settings(vantages=(CONTROL,), catalog=catalogue())


def enrolment(vantage: str, number: int = 1, **changes: object) -> Enrolment:
    """A key of an agent in Pakistan."""
    made = Enrolment(
        vantage=vantage,
        country="PK",
        asn=17557,
        network="PTCL",
        role="field",
        key=f"key-{vantage}-{number}",
        fingerprint=f"{vantage}-{number}".ljust(64, "0"),
        enrolled_at=START + timedelta(seconds=number),
    )
    return replace(made, **changes)


async def test_those_enrolled_are_watched_until_they_are_revoked(configured: Settings) -> None:
    """Beside the configured ones, which win where both have the same name."""
    store = MemoryStore()
    await store.open()
    roster = WatchedVantages(configured, store)
    assert not await roster.refresh()
    await store.enrol(enrolment("khi-agent", profile="quiet"))
    await store.enrol(enrolment(CONTROL.id))
    assert await roster.refresh()
    assert not await roster.refresh()
    configured_one, agent = roster.settings.vantages
    assert configured_one == CONTROL
    assert (agent.id, agent.country, agent.asn, agent.network) == (
        *("khi-agent", "PK", 17557, "PTCL"),
    )
    assert (agent.role, agent.profile) == (VantageRole.FIELD, Profile.QUIET)
    roster.use(replace(configured, interval=60.0))
    assert roster.settings.interval == 60.0
    assert agent in roster.settings.vantages
    await store.revoke("khi-agent", START + timedelta(hours=1), "lost")
    assert await roster.refresh()
    assert roster.settings.vantages == (CONTROL,)


async def test_a_paused_name_that_nobody_has_is_logged(configured: Settings) -> None:
    """A mistyped one paused nobody, and nothing said so. It is said again when vantages or settings
    change, and no more often: enrolments are read every few seconds."""
    store = MemoryStore()
    await store.open()
    await store.enrol(enrolment("khi-ptcl"))
    paused = CollectorSettings(paused=("khi-plct", "khi-ptcl", CONTROL.id))
    roster = WatchedVantages(replace(configured, collector=paused), store)
    with capture_logs() as log:
        for _ in range(3):
            await roster.refresh()
    (line,) = log
    assert (line["log_level"], line["vantage"]) == ("error", "khi-plct")
    assert line["hint"] == 'did you mean "khi-ptcl"?'
    roster.use(replace(configured, collector=CollectorSettings(paused=("zzz",))))
    with capture_logs() as log:
        for _ in range(3):
            assert not await roster.refresh()
    (line,) = log
    assert (line["vantage"], line["hint"]) == ("zzz", "`shutwatch vantage list` shows all")
    await store.enrol(enrolment("zzz"))
    with capture_logs() as log:
        assert await roster.refresh()
        roster.use(replace(configured, collector=CollectorSettings(paused=("zzz",))))
        await roster.refresh()
    assert log == []


async def test_an_enrolled_agent_that_was_never_heard_of_shows_as_silent(
    configured: Settings,
) -> None:
    """Soon after it was enrolled, at whoever leads, without a restart."""
    store, clock = MemoryStore(), Clock()
    await store.open()
    publisher = publisher_of(configured, clock)
    async with leading(configured, store, clock, publisher) as leader:
        await until(lambda: leader.leading)
        await store.enrol(enrolment("khi-agent"))
        await until(lambda: len(publisher.snapshot.vantages) == 2)
        view = publisher.snapshot.vantages[-1]
        assert (view.point.id, view.last_report_at) == ("khi-agent", None)
        assert publisher.snapshot.countries == ("PK",)


# -- what a collector sees itself --------------------------------------------------------------


class Failing(MemoryStore):
    """A store whose disk is full for a while."""

    full = False

    async def receive(self, batch: ReceivedBatch, cycles: Sequence[SeenCycle]) -> Reception:
        """Store a batch, if there is room."""
        if self.full:
            raise StorageError("database or disk is full")
        return await super().receive(batch, cycles)


def seen(number: int) -> Cycle:
    """A cycle of a field vantage, with a look that a control made for it."""
    whole = cycle(number)
    control = measurement(
        f"control-{number}",
        number * 300.0 + 5,
        cycle=whole.id,
        vantage=CONTROL.id,
        country=CONTROL.country,
        look=Purpose.CONTROL,
    )
    control = replace(control, vantage_role="control")
    return replace(whole, measurements=(*whole.measurements, control))


async def test_a_cycle_of_ones_own_waits_for_judgement_like_any_other(
    configured: Settings,
) -> None:
    """With its looks and those made for it; its own verdicts are not taken."""
    store = MemoryStore()
    await store.open()
    recorder = LocalCycles(configured, store, lambda _: None, now=Clock())
    whole = seen(1)
    await recorder.record(whole)
    (waiting,) = await store.waiting(10)
    assert (waiting.id, waiting.vantage, waiting.health) == (whole.id, whole.vantage, whole.health)
    looks = await store.measurements_of(waiting)
    assert {look.id for look in looks} == {look.id for look in whole.measurements}
    assert await flat(store.verdicts(EVERYTHING)) == []
    (batch,) = await store.received_batches([whole.id])
    assert (batch.fingerprint, batch.signature, batch.body) == ("", "", b"")


async def test_while_the_store_fails_cycles_are_kept_and_that_is_counted(
    configured: Settings,
) -> None:
    """They are stored with the next one that can be, oldest first; of too many the oldest are given
    up."""
    store, failed = Failing(), list[str]()
    await store.open()
    recorder = LocalCycles(configured, store, failed.append, now=Clock())
    store.full = True
    for number in range(3):
        await recorder.record(seen(number))
    assert failed == ["save"] * 3
    assert await store.waiting(10) == []
    store.full = False
    await recorder.record(seen(3))
    assert [one.id for one in await store.waiting(10)] == [seen(n).id for n in range(4)]
    store.full = True
    for number in range(4, 6 + MOST):
        await recorder.record(seen(number))
    store.full = False
    await recorder.record(seen(6 + MOST))
    kept = [one.id for one in await store.waiting(1000)]
    assert len(kept) == 4 + MOST + 1
    assert seen(4).id not in kept


async def test_what_a_database_could_not_take_for_hours_comes_late(configured: Settings) -> None:
    """As what an agent brings late: nothing of it is shown as current."""
    store, clock = Failing(), Clock()
    await store.open()
    recorder = LocalCycles(configured, store, lambda _: None, now=clock)
    store.full = True
    for number in range(3):
        clock.at = seen(number).finished_at
        await recorder.record(seen(number))
    store.full = False
    clock.at = seen(20).finished_at
    await recorder.record(seen(20))
    late = await store.waiting(10, backfilled=True)
    assert [one.id for one in late] == [seen(number).id for number in range(3)]
    assert [one.id for one in await store.waiting(10, backfilled=False)] == [seen(20).id]


async def test_what_a_vantage_suspects_is_known_for_looking_again(configured: Settings) -> None:
    """The fast lane asks the recorder's book, which judges nothing."""
    store = MemoryStore()
    await store.open()
    watching = replace(configured, vantages=(CONTROL, FIELD))
    recorder = LocalCycles(watching, store, lambda _: None, now=Clock())
    assert recorder.book.places == {}
    whole = seen(1)
    await recorder.record(whole)
    assert {place for place, _ in recorder.book.places} == {whole.country}
