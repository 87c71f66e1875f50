"""What the configuration says of old rows is done, and shown."""

from datetime import datetime, timedelta
from math import inf
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.config.settings import RetentionSettings
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.recording.scheduled_retention import Retention
from probes.measurement import Purpose
from storage.open_store import sql_store
from storage.values.archive_place import ArchivePlace
from storage.values.fleet import ReceivedBatch, SeenCycle
from storage.values.rollup import Period
from storage.values.selection import Selection
from storage.values.sourced import SourceState
from tests.contract.cycles import START, cycle
from tests.contract.listing import EVERYTHING, flat
from tests.contract.test_store_sources import row
from tests.prometheus import world
from tests.worlds.memory_store import MemoryStore

DAY = 86400.0
FOLDED = timedelta(days=21)
"""Age of the rows of a source that its events are made of."""


class Settings:
    """Those in use, which may change."""

    def __init__(self, raw: float = 90 * DAY, hourly: float = inf) -> None:
        self.now = RetentionSettings(raw=raw, hourly=hourly)

    def __call__(self) -> RetentionSettings:
        return self.now


def samples(publisher: Publisher, name: str) -> float | None:
    """The value of a family that has no labels."""
    return create_registry(publisher).get_sample_value(f"shutwatch_{name}")


@pytest.fixture
async def store() -> MemoryStore:
    """Two days of one cycle each hour."""
    made = MemoryStore()
    await made.open()
    for number in range(48):
        await made.save(cycle(number * 12))
    return made


def retention(
    store: MemoryStore, settings: Settings, at: datetime, *, confirmed: bool = True
) -> tuple[Retention, Publisher]:
    """Rounds at that moment, and the publisher that shows them."""
    publisher = world.x_blocked_on_two_of_three()
    made = Retention(
        *(settings, store, publisher),
        now=lambda: at,
        confirmed=lambda: confirmed,
        folded=FOLDED,
    )
    return made, publisher


async def test_by_default_ninety_days_are_kept(store: MemoryStore) -> None:
    """What is older goes, in every raw table; availability by the hour stays."""
    hours = await flat(store.availability(EVERYTHING))
    at = START + timedelta(days=91)
    one, publisher = retention(store, Settings(), at)
    assert samples(publisher, "pruned_rows_total") == 0
    assert samples(publisher, "prune_last_success_timestamp_seconds") == 0
    await one.round()
    limit = at - timedelta(days=90)
    left = await flat(store.measurements(EVERYTHING))
    assert {look.started_at >= limit for look in left} == {True}
    assert len(left) == 24 * 4
    assert await flat(store.availability(EVERYTHING)) == hours
    # Of each hour four looks, four verdicts, two on platforms, and the vantage's health.
    assert samples(publisher, "pruned_rows_total") == 24 * (4 + 4 + 2 + 1)
    done = samples(publisher, "prune_last_success_timestamp_seconds")
    assert done == publisher.now().timestamp()


async def test_for_ever_is_for_ever(store: MemoryStore) -> None:
    """Nothing is deleted, however old."""
    one, publisher = retention(store, Settings(raw=inf), START + timedelta(days=36500))
    before = await flat(store.measurements(EVERYTHING))
    await one.round()
    assert await flat(store.measurements(EVERYTHING)) == before
    assert samples(publisher, "pruned_rows_total") == 0


async def test_the_hourly_counts_have_a_limit_of_their_own(store: MemoryStore) -> None:
    """Days stay when hours go, and settings that change count from the next round on."""
    settings = Settings(raw=DAY)
    one, _ = retention(store, settings, START + timedelta(days=2))
    days = await flat(store.availability(Selection(period=Period.DAY)))
    hours = await flat(store.availability(EVERYTHING))
    await one.round()
    assert await flat(store.availability(EVERYTHING)) == hours
    settings.now = RetentionSettings(raw=DAY, hourly=DAY)
    await one.round()
    left = await flat(store.availability(EVERYTHING))
    assert 0 < len(left) < len(hours)
    assert await flat(store.availability(Selection(period=Period.DAY))) == days


@pytest.mark.parametrize(("raw", "kept"), [(7 * DAY, 22), (30 * DAY, 30), (inf, 60)])
async def test_rows_of_a_source_are_kept_for_as_long_as_they_are_folded(
    store: MemoryStore, raw: float, kept: int
) -> None:
    """Events of volunteers are made anew of the rows of some weeks. Where these were kept for seven
    days, the beginning of a block moved with them, and a block that had ended was taken back."""
    rows = [
        replace(row(number), measured_at=START + timedelta(days=number)) for number in range(60)
    ]
    await store.add_sourced(rows, "ooni", SourceState())
    at = START + timedelta(days=60)
    one, _ = retention(store, Settings(raw=raw), at)
    await one.round()
    left = [row async for page in store.sourced_rows("ooni", START) for row in page]
    assert [row.measured_at for row in left] == [row.measured_at for row in rows[-kept:]]


async def test_a_store_that_fails_is_counted_and_nothing_is_claimed(store: MemoryStore) -> None:
    """The time of the last success stays where it was."""
    one, publisher = retention(store, Settings(), START + timedelta(days=91))
    await store.close()
    await one.round()
    registry = create_registry(publisher)
    counted = registry.get_sample_value("shutwatch_storage_errors_total", {"operation": "prune"})
    assert counted == 1
    assert samples(publisher, "prune_last_success_timestamp_seconds") == 0


async def test_a_clock_that_is_years_ahead_deletes_nothing(store: MemoryStore) -> None:
    """A machine without a battery starts in another year. Until servers confirm its time, rows are
    as old as the newest of them that were there at the start says."""
    one, publisher = retention(
        store, Settings(raw=7 * DAY), START + timedelta(days=3650), confirmed=False
    )
    before = await flat(store.measurements(EVERYTHING))
    await one.round()
    # A cycle that is dated by the same clock proves nothing.
    await store.save(cycle(47 * 12 + 1, seconds=3650 * DAY))
    await one.round()
    assert (await flat(store.measurements(EVERYTHING)))[: len(before)] == before
    assert samples(publisher, "pruned_rows_total") == 0


async def test_what_is_old_goes_where_no_server_confirms_the_clock(store: MemoryStore) -> None:
    """As on a collector that measures nothing itself, and runs on."""
    await store.save(cycle(0, seconds=91 * DAY, vantage="lhe-1"))
    at = START + timedelta(days=92)
    one, _ = retention(store, Settings(), at, confirmed=False)
    await one.round()
    left = await flat(store.measurements(EVERYTHING))
    assert {look.started_at >= at - timedelta(days=91) for look in left} == {True}


async def test_a_large_database_moves_its_oldest_days(tmp_path: Path) -> None:
    """Before their time, as many as it takes, and none of the last seven; all is still listed."""
    store = sql_store(f"sqlite:///{tmp_path / 'a.db'}", ArchivePlace(folder=str(tmp_path / "old")))
    await store.open()
    for number in range(14):
        await store.save(cycle(number, seconds=number * DAY, endpoints=200))
    full = (await store.size()).used
    whole = await flat(store.measurements(EVERYTHING))
    at, publisher = START + timedelta(days=13), world.x_blocked_on_two_of_three()

    async def oldest_after(limit: int) -> int:
        settings = Settings()
        await Retention(
            *(settings, store, publisher),
            now=lambda: at,
            confirmed=lambda: True,
            folded=FOLDED,
            database_limit=limit,
        ).round()
        oldest = await store.oldest_measurement()
        assert oldest is not None
        return (oldest - START).days

    assert await oldest_after(0) == 0
    assert await oldest_after(full) == 0
    assert 0 < await oldest_after(int(full * 0.8)) < 6
    assert await oldest_after(1) == 6
    assert await flat(store.measurements(EVERYTHING)) == whole
    await store.close()


async def test_days_of_late_cycles_stay_until_these_are_judged(tmp_path: Path) -> None:
    """An agent brings what it measured two weeks ago. Where its day moved before the cycle was
    judged, nothing was known of that cycle, and a block in it was lost."""
    store = sql_store(f"sqlite:///{tmp_path / 'a.db'}", ArchivePlace(folder=str(tmp_path / "old")))
    await store.open()
    for number in range(14):
        await store.save(cycle(number, seconds=number * DAY))
    at, publisher = START + timedelta(days=13), world.x_blocked_on_two_of_three()
    late = cycle(20, seconds=2 * DAY + 60)
    waiting = SeenCycle(
        **{name: getattr(late, name) for name in ("country", "id", "vantage", "health")},
        started_at=late.started_at,
        finished_at=late.finished_at,
        backfilled=True,
        measurements=late.measurements,
    )
    batch = ReceivedBatch(
        **{name: getattr(late, name) for name in ("country", "id", "vantage")},
        **dict.fromkeys(("fingerprint", "sent_at", "signature", "body_sha256"), ""),
        encoding="identity",
        body=b"",
        received_at=at,
    )
    await store.receive(batch, [waiting])
    one = Retention(
        *(Settings(), store, publisher),
        now=lambda: at,
        confirmed=lambda: True,
        folded=FOLDED,
        database_limit=1,
    )
    await one.round()
    (still,) = await store.waiting(1)
    assert await store.measurements_of(still) == sorted(
        late.measurements, key=lambda look: (look.started_at, look.country, look.id)
    )
    await store.save(late)
    await one.round()
    oldest = await store.oldest_measurement()
    assert oldest is not None
    assert oldest >= START + timedelta(days=6)
    await store.close()


async def test_controls_of_days_that_moved_count_for_late_cycles(tmp_path: Path) -> None:
    """An agent brings what it measured two weeks ago, after that day moved. What controls measured
    then was sought in the database alone: without it nothing that failed was a block."""
    store = sql_store(f"sqlite:///{tmp_path / 'a.db'}", ArchivePlace(folder=str(tmp_path / "old")))
    await store.open()
    made = [
        replace(one, vantage="ctl", vantage_role="control", look=Purpose.CONTROL)
        for one in cycle(2, seconds=2 * DAY).measurements
    ]
    await store.add_control_measurements(made)
    for number in range(14):
        await store.save(cycle(number, seconds=number * DAY))
    of_then = START + timedelta(days=2), START + timedelta(days=3)
    before = await store.control_measurements(*of_then)
    assert len(before) == len(made)
    one = Retention(
        *(Settings(), store, world.x_blocked_on_two_of_three()),
        now=lambda: START + timedelta(days=13),
        confirmed=lambda: True,
        folded=FOLDED,
        database_limit=1,
    )
    await one.round()
    oldest = await store.oldest_measurement()
    assert oldest is not None
    assert oldest > of_then[1]
    assert await store.control_measurements(*of_then) == before
    # While it is in both, as when it moves, each is there once.
    await store.add_control_measurements(made[:2])
    assert await store.control_measurements(*of_then) == before
    await store.close()
