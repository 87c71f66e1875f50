"""A state that two processes write keeps what both know."""

from datetime import UTC, datetime, timedelta

from monitor.following.kept_state import KeptState
from monitor.sources import rounds
from storage.values.sourced import SourceState
from tests.worlds.memory_store import MemoryStore

AT = datetime(2024, 2, 17, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def _two(first: SourceState) -> tuple[KeptState, KeptState]:
    """Two processes that read the same."""
    store = MemoryStore()
    await store.open()
    await store.add_sourced((), "atlas", first)
    both = KeptState("atlas", store), KeptState("atlas", store)
    for one in both:
        await one.read()
    return both


async def test_what_each_notes_forgets_and_counts_is_kept() -> None:
    """The second write changes what it knows of, and leaves the rest."""
    hour = AT.replace(minute=0)
    cursors = {"old": AT, "asked PK x 1": AT, "asked PK y 1": AT}
    one, other = await _two(SourceState(cursors=cursors, hour=hour, units=100, requests=5, rows=7))
    one.now = SourceState(
        cursors={"asked PK x 1": AT, "asked PK y 1": AT, "done PK y 1": AT},
        hour=hour,
        units=140,
        requests=6,
        rows=9,
        answered_at=AT + MINUTE,
        problem="limited",
    )
    await one.write()
    other.now = SourceState(
        cursors={"old": AT, "asked PK y 1": AT, "done PK x 1": AT},
        hour=hour,
        units=120,
        requests=7,
        rows=10,
        answered_at=AT,
    )
    await other.write()
    await one.read()
    assert one.now == other.now
    assert set(one.now.cursors) == {"asked PK y 1", "done PK y 1", "done PK x 1"}
    assert (one.now.units, one.now.requests, one.now.rows) == (160, 8, 12)
    assert (one.now.answered_at, one.now.problem) == (AT + MINUTE, "limited")
    await other.write()
    assert other.now == one.now


async def test_rounds_that_both_give_the_same_number_are_two() -> None:
    """Else a stranger's line would be asked once more that day."""
    one, other = await _two(SourceState())
    for process, at in ((one, AT), (other, AT + MINUTE)):
        noted = rounds.noted(process.now.cursors, rounds.TRIED, "PK", "x", at)
        process.now = SourceState(cursors=noted)
        await process.write()
    assert sorted(rounds.moments(other.now.cursors, rounds.TRIED, "PK", "x")) == [AT, AT + MINUTE]


async def test_units_of_another_hour_are_not_counted_in_this_one() -> None:
    """Each hour has its own."""
    hour = timedelta(hours=1)
    one, other = await _two(SourceState(hour=AT, units=50))
    one.now = SourceState(hour=AT + hour, units=30)
    await one.write()
    other.now = SourceState(hour=AT, units=90)
    await other.write()
    assert (other.now.hour, other.now.units) == (AT + hour, 30)
    other.now = SourceState(hour=AT + hour, units=40)
    await other.write()
    assert other.now.units == 40


def test_a_round_overwrites_none_when_older_ones_are_forgotten() -> None:
    """The number of those left may be one that is taken."""
    cursors: dict[str, datetime] = {}
    for number in range(3):
        cursors = rounds.noted(cursors, rounds.DONE, "PK", "x", AT + number * MINUTE)
    left = rounds.forgotten(cursors, AT + MINUTE)
    noted = rounds.noted(left, rounds.DONE, "PK", "x", AT + 9 * MINUTE)
    assert len(rounds.moments(noted, rounds.DONE, "PK", "x")) == 3
