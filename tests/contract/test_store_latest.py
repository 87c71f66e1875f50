"""What is latest: by when a cycle began, not by when it arrived."""

from monitor.analysis.verdict import State
from storage.store import Store
from tests.contract.conftest import MakeStore
from tests.contract.cycles import at, cycle
from tests.contract.listing import EVERYTHING, flat


async def _states(store: Store) -> list[tuple[str, str, str]]:
    return [(p.vantage, p.platform, p.state) for p in await store.latest_platforms()]


async def test_the_newest_cycle_of_each_vantage_is_latest(store: Store) -> None:
    """A newer cycle replaces its own vantage's rows and no other's."""
    await store.save(cycle(1, platforms=("x",)))
    await store.save(cycle(1, platforms=("x",), vantage="khi-nayatel", state=State.BLOCKED))
    await store.save(cycle(2, platforms=("x",), state=State.DOWN))
    assert await _states(store) == [("khi-nayatel", "x", "blocked"), ("khi-ptcl", "x", "down")]
    assert {v.state for v in await store.latest_verdicts() if v.vantage == "khi-ptcl"} == {"down"}
    assert [(h.vantage, h.at) for h in await store.latest_health()] == [
        ("khi-nayatel", at(360)),
        ("khi-ptcl", at(660)),
    ]


async def test_an_older_cycle_arriving_late_changes_history_only(store: Store) -> None:
    """Late data is kept, and the newer state stays the latest one."""
    newer, older = cycle(2, state=State.BLOCKED), cycle(1)
    await store.save(newer)
    before = (
        await store.latest_platforms(),
        await store.latest_verdicts(),
        await store.latest_health(),
    )
    await store.save(older)
    after = (
        await store.latest_platforms(),
        await store.latest_verdicts(),
        await store.latest_health(),
    )
    assert after == before
    stored = await flat(store.measurements(EVERYTHING))
    assert [m.cycle for m in stored] == [older.id] * 4 + [newer.id] * 4


async def test_late_data_fills_what_has_no_newer_row(store: Store) -> None:
    """A platform the newer cycle did not look at takes its latest from the older one."""
    await store.save(cycle(2, platforms=("x",), state=State.BLOCKED))
    await store.save(cycle(1, platforms=("x", "facebook")))
    assert await _states(store) == [("khi-ptcl", "facebook", "ok"), ("khi-ptcl", "x", "blocked")]


async def test_what_a_newer_cycle_left_out_stays(store: Store) -> None:
    """A platform looked at once keeps its last verdict, with the time it is from."""
    await store.save(cycle(1, platforms=("x", "facebook")))
    await store.save(cycle(2, platforms=("x",)))
    assert [(p.platform, p.judged_at) for p in await store.latest_platforms()] == [
        ("facebook", at(360)),
        ("x", at(660)),
    ]


async def test_a_clock_that_was_ahead_does_not_freeze_the_latest(
    make_store: MakeStore,
) -> None:
    """Rows of a cycle from the future give way to the first cycle with a right clock."""
    store = make_store(clock=lambda: at(1000))
    await store.open()
    try:
        await store.save(cycle(1, platforms=("x",), seconds=10**8, state=State.BLOCKED))
        await store.save(cycle(2, platforms=("x",)))
        assert await _states(store) == [("khi-ptcl", "x", "ok")]
        assert [h.at for h in await store.latest_health()] == [at(660)]
    finally:
        await store.close()
