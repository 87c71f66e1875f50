"""What was recomputed is kept beside what it was recomputed from, and alters none of it."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from monitor.analysis.events.event import EventState
from monitor.analysis.verdict import State
from storage.store import Store
from storage.values.cycle import Cycle
from storage.values.selection import Selection
from tests.contract.cycles import at, cycle, event, rejudging
from tests.contract.listing import EVERYTHING, contents, flat

FIRST, SECOND = rejudging(), rejudging("rejudging-2", 9999.0, finished=True)


def _made() -> list[Cycle]:
    return [cycle(number) for number in range(1, 6)]


async def test_cycles_come_by_the_time_they_finished(store: Store) -> None:
    """Each once, with its times and its own health, over several pages, whatever came first."""
    made = [
        cycle(number, country=country, vantage=vantage)
        for number in range(6)
        for country, vantage in (("PK", "khi-ptcl"), ("BR", "gru-vivo"))
    ]
    for one in reversed(made):
        await store.save(one)
    found = await flat(store.cycles(EVERYTHING))
    expected = sorted(made, key=lambda one: (one.finished_at, one.country))
    assert [(c.id, c.vantage, c.country, c.started_at, c.finished_at, c.health) for c in found] == [
        (c.id, c.vantage, c.country, c.started_at, c.finished_at, c.health) for c in expected
    ]


async def test_cycles_of_a_selection(store: Store) -> None:
    """Of one country and time; a platform selects nothing, since a cycle has all of them."""
    made = [*_made(), cycle(2, country="BR", vantage="gru-vivo")]
    for one in made:
        await store.save(one)
    wanted = Selection(
        since=made[1].finished_at, until=made[3].finished_at, country="PK", platform="tiktok"
    )
    assert [one.id for one in await flat(store.cycles(wanted))] == [made[1].id, made[2].id]


async def test_what_was_recomputed_comes_back_exactly(
    make_store: Callable[[], Store],
) -> None:
    """Every row of every part, in the order of the old ones, also after opening again."""
    store = make_store()
    await store.open()
    made = _made()
    for one in reversed(made):
        await store.save_rejudged(FIRST, one.verdicts, one.platforms)
    await store.save_rejudged(replace(FIRST, events=2), events=[event()])
    await store.close()
    store = make_store()
    await store.open()
    verdicts = [verdict for one in made for verdict in one.verdicts]
    found = await flat(store.rejudged_verdicts(FIRST.id, EVERYTHING))
    assert [v.judged_at for v in found] == sorted(v.judged_at for v in found)
    assert sorted(found, key=repr) == sorted(verdicts, key=repr)
    platforms = [platform for one in made for platform in one.platforms]
    listed = await flat(store.rejudged_platforms(FIRST.id, EVERYTHING))
    assert sorted(listed, key=repr) == sorted(platforms, key=repr)
    assert await flat(store.rejudged_events(FIRST.id, EVERYTHING)) == [event()]
    assert await store.rejudgings() == [replace(FIRST, events=2)]
    await store.close()


async def test_what_was_stored_before_stays_as_it_was(store: Store) -> None:
    """Verdicts and events with the very keys of the old ones replace nothing."""
    old = cycle(1, state=State.OK)
    await store.save(old, [event()])
    before = await contents(store)
    changed = replace(event(), state=EventState.CONFIRMED, updated_at=at(99999))
    other = cycle(1, state=State.BLOCKED)
    await store.save_rejudged(FIRST, other.verdicts, other.platforms, [changed])
    assert await contents(store) == before
    assert {v.state for v in await flat(store.rejudged_verdicts(FIRST.id, EVERYTHING))} == {
        State.BLOCKED
    }


async def test_each_recomputation_has_rows_of_its_own(store: Store) -> None:
    """The same verdict recomputed twice is there twice, once under each id; none under another."""
    first, second = cycle(1, state=State.OK), cycle(1, state=State.BLOCKED)
    await store.save_rejudged(SECOND, second.verdicts, second.platforms)
    await store.save_rejudged(FIRST, first.verdicts, first.platforms)
    assert await store.rejudgings() == [FIRST, SECOND]
    for kept, made in ((FIRST, first), (SECOND, second)):
        found = await flat(store.rejudged_verdicts(kept.id, EVERYTHING))
        assert sorted(found, key=repr) == sorted(made.verdicts, key=repr)
    assert await flat(store.rejudged_verdicts("nobody", EVERYTHING)) == []
    assert await flat(store.rejudged_platforms("nobody", EVERYTHING)) == []
    assert await flat(store.rejudged_events("nobody", EVERYTHING)) == []


async def test_a_part_stored_again_changes_nothing(store: Store) -> None:
    """A batch whose fate was unknown may be stored again."""
    one = cycle(1)
    for _ in range(2):
        await store.save_rejudged(FIRST, one.verdicts, one.platforms, [event()])
    assert len(await flat(store.rejudged_verdicts(FIRST.id, EVERYTHING))) == len(one.verdicts)
    assert await flat(store.rejudged_events(FIRST.id, EVERYTHING)) == [event()]


@pytest.mark.parametrize("platform", ["x", "facebook", "whatsapp"])
async def test_a_selection_of_what_was_recomputed(store: Store, platform: str) -> None:
    """Platform, country and time select as they do for the old rows."""
    made = _made()
    await store.save_rejudged(
        FIRST,
        [v for one in made for v in one.verdicts],
        [p for one in made for p in one.platforms],
        [event(), event("event-2", country="BR")],
    )
    wanted = Selection(
        since=made[1].verdicts[0].judged_at,
        until=made[3].verdicts[0].judged_at,
        country="PK",
        platform=platform,
    )
    expected = [v.measurement for one in made[1:3] for v in one.verdicts if v.platform == platform]
    found = await flat(store.rejudged_verdicts(FIRST.id, wanted))
    assert sorted(v.measurement for v in found) == sorted(expected)
    assert len(await flat(store.rejudged_platforms(FIRST.id, wanted))) == len(expected) // 2
    events = await flat(store.rejudged_events(FIRST.id, wanted))
    assert [one.id for one in events] == (["event-1"] if platform == "x" else [])
