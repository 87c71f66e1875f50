"""Deleting what is old: that and nothing else, while everything else goes on."""

import asyncio

import pytest

from monitor.analysis.events.event import EventState
from storage.sql.retention import Batch
from storage.sql.store import SqlStore
from storage.store import Store
from storage.values.prunable import HOURLY, RAW, Prunable
from storage.values.rollup import Period
from storage.values.selection import Selection
from tests.contract.cycles import at, cycle, event, log_entry, rejudging
from tests.contract.listing import EVERYTHING, contents, flat

LIMIT = at(3000 + 60)
"""When cycle 10 is judged: it is the oldest that stays."""
LATER = at(5 * 86400)
"""After all of them, in the same month: no whole month is over."""


async def _filled(store: Store) -> None:
    over = event("event-2", platform="facebook", state=EventState.ENDED, end_latest=700)
    await store.save(cycle(0), [event(), over], [log_entry(1, event()), log_entry(1, over)])
    for number in range(1, 20):
        await store.save(cycle(number))
        await store.save(cycle(number, country="BR", vantage="gru"))


async def _prune(store: Store, *tables: Prunable) -> dict[Prunable, int]:
    return {what: sum([rows async for rows in store.prune(what, LIMIT)]) for what in tables}


async def test_what_is_old_goes_and_the_rest_stays(store: Store) -> None:
    """By each table's own time; a row of exactly that moment stays."""
    await _filled(store)
    looks = [v for v in await flat(store.measurements(EVERYTHING)) if v.started_at >= LIMIT]
    verdicts = [v for v in await flat(store.verdicts(EVERYTHING)) if v.judged_at >= LIMIT]
    platforms = [v for v in await flat(store.platforms(EVERYTHING)) if v.judged_at >= LIMIT]
    health = [one for one in await store.recent_health(at(0)) if one.at >= LIMIT]
    assert len(health) == 20
    assert await _prune(store, *RAW) == {
        Prunable.VERDICT: 19 * 4,
        Prunable.PLATFORM_VERDICT: 19 * 2,
        Prunable.MEASUREMENT: 21 * 4,
        Prunable.VANTAGE_HEALTH: 19,
        Prunable.BATCH: 0,
        Prunable.LATEST_LOOK: 0,
        Prunable.REJUDGED_VERDICT: 0,
        Prunable.REJUDGED_PLATFORM: 0,
        Prunable.REJUDGED_EVENT: 0,
        Prunable.REJUDGING: 0,
        Prunable.SOURCED_ROW: 0,
    }
    assert await flat(store.measurements(EVERYTHING)) == looks
    assert await flat(store.verdicts(EVERYTHING)) == verdicts
    assert await flat(store.platforms(EVERYTHING)) == platforms
    assert await store.recent_health(at(0)) == health


async def test_conclusions_outlive_what_they_rest_on(store: Store) -> None:
    """Events, their log, what is latest and the availability are as before."""
    await _filled(store)
    before = await contents(store, "event-1", "event-2")
    kept = ("events", "log", "active", "latest_platforms", "latest_verdicts", "latest_health")
    wanted = [Selection(period=period) for period in Period]
    counts = [await flat(store.availability(one)) for one in wanted]
    await _prune(store, *RAW)
    after = await contents(store, "event-1", "event-2")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert [await flat(store.availability(one)) for one in wanted] == counts


async def test_a_recomputation_goes_as_a_whole_by_when_it_was_made(store: Store) -> None:
    """One made before the limit goes with all its rows; one made since stays whole, however old
    what it is about."""
    made = [cycle(number) for number in range(1, 4)]
    old, new = rejudging("rejudging-1", 3000.0), rejudging("rejudging-2", 9999.0)
    for whose in (old, new):
        for one in made:
            await store.save_rejudged(whose, one.verdicts, one.platforms, [event()])

    async def rows(whose: str) -> list[object]:
        return [
            *await flat(store.rejudged_verdicts(whose, EVERYTHING)),
            *await flat(store.rejudged_platforms(whose, EVERYTHING)),
            *await flat(store.rejudged_events(whose, EVERYTHING)),
        ]

    before = await rows(new.id)
    assert len(before) == 3 * 4 + 3 * 2 + 1
    assert before == await rows(old.id)
    gone = await _prune(store, *RAW)
    assert gone[Prunable.REJUDGED_VERDICT] == 3 * 4
    assert gone[Prunable.REJUDGED_PLATFORM] == 3 * 2
    assert gone[Prunable.REJUDGED_EVENT] == gone[Prunable.REJUDGING] == 1
    assert await store.rejudgings() == [new]
    assert await rows(new.id) == before
    assert await rows(old.id) == []


async def test_counts_by_the_day_outlive_those_by_the_hour(store: Store) -> None:
    """Hours that began before the limit go; of days nothing does, not even the hours seen."""
    await _filled(store)
    daily = Selection(period=Period.DAY)
    days = await flat(store.availability(daily))
    hours = await flat(store.availability(EVERYTHING))
    await _prune(store, *RAW, *HOURLY)
    assert await flat(store.availability(daily)) == days
    assert days[0].hours == 2
    left = [row for row in hours if row.starts_at >= LIMIT]
    assert await flat(store.availability(EVERYTHING)) == left
    assert 0 < len(left) < len(hours)


async def test_a_cycle_whose_rows_are_gone_is_not_counted_again(store: Store) -> None:
    """Whoever sends it once more adds nothing."""
    await _filled(store)
    await _prune(store, *RAW)
    counts = await flat(store.availability(EVERYTHING))
    await store.save(cycle(1))
    assert await flat(store.availability(EVERYTHING)) == counts
    assert [v.cycle for v in await flat(store.verdicts(Selection(until=LIMIT)))] == []


async def test_stopping_half_way_leaves_the_rest(store: Store) -> None:
    """Told so many, deleted so many."""
    for number in range(60):
        await store.save(cycle(number, endpoints=20))
    before = len(await flat(store.verdicts(EVERYTHING)))
    gone = 0
    async for rows in store.prune(Prunable.VERDICT, LATER):
        gone += rows
        break
    left = len(await flat(store.verdicts(EVERYTHING)))
    assert left == before - gone
    assert 0 < left < before


@pytest.mark.parametrize("what", Prunable)
async def test_nothing_old_is_nothing_to_do(store: Store, what: Prunable) -> None:
    """Of an empty table and of a new one."""
    assert [rows async for rows in store.prune(what, LIMIT)] == []
    await store.save(cycle(100))
    assert [rows async for rows in store.prune(what, LIMIT)] == []


async def test_who_writes_gets_through(store: Store) -> None:
    """Cycles that come while much is deleted are stored before it is done, each in its turn."""
    for number in range(40):
        await store.save(cycle(number, endpoints=25))
    done: list[str] = []

    async def prune() -> None:
        async for rows in store.prune(Prunable.MEASUREMENT, LATER):
            assert rows <= 2000
            done.append("deleted")

    async def write() -> None:
        for number in range(1000, 1004):
            await store.save(cycle(number, platforms=("x",), endpoints=1, seconds=2e9 + number))
            done.append("stored")

    await asyncio.gather(prune(), write())
    assert done.count("stored") == 4
    assert done.count("deleted") > 4
    # Never more than two batches between a cycle and the next: one under way, one that had waited.
    first, last = done.index("stored"), len(done) - 1 - done[::-1].index("stored")
    between = "".join("d" if one == "deleted" else "s" for one in done[first : last + 1])
    assert max(map(len, between.split("s"))) <= 2
    if isinstance(store, SqlStore):
        assert "stored" in done[: done.index("deleted") + 4]


def test_a_transaction_stays_short() -> None:
    """Batches shrink on a slow disk and grow on a fast one, within bounds."""
    batch = Batch()
    for _ in range(20):
        batch.took(1.0)
    assert batch.size == 10
    for _ in range(40):
        batch.took(0.001)
    assert batch.size == 2000
    batch.took(0.02)
    assert batch.size == 2000
