"""Counts of verdicts by hour and day: written with the verdicts, and never twice."""

import random
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from monitor.analysis.verdict import State
from storage.store import Store
from storage.values.cursor import LENGTHS, place_of
from storage.values.cycle import Cycle
from storage.values.rollup import Availability, Period
from storage.values.selection import Selection
from tests.contract.cycles import START, at, cycle
from tests.contract.listing import flat

HOUR = 3600


def judged(
    number: int,
    state: State = State.OK,
    *,
    vantage: str = "khi-ptcl",
    asn: int = 17557,
    platforms: tuple[str, ...] = ("x",),
    country: str = "PK",
    **changes: object,
) -> Cycle:
    """A cycle of which every platform verdict says `state`."""
    made = cycle(number, vantage=vantage, platforms=platforms, endpoints=1, country=country)
    verdicts = tuple(
        msgspec.structs.replace(one, state=state, asn=asn, network=f"AS{asn}")
        for one in made.platforms
    )
    return msgspec.structs.replace(made, platforms=verdicts, **changes)


async def hours(store: Store, **wanted: object) -> list[Availability]:
    """Rows by the hour."""
    return await flat(store.availability(Selection(**wanted)))  # type: ignore[arg-type]


async def days(store: Store, **wanted: object) -> list[Availability]:
    """Rows by the day."""
    return await hours(store, period=Period.DAY, **wanted)


async def test_every_state_is_counted_in_its_hour_and_day(store: Store) -> None:
    """Twelve cycles an hour; each state ends up in its own column, in both tables."""
    for number, state in enumerate([*State, State.OK, State.OK]):
        await store.save(judged(number, state))
    await store.save(judged(12, State.BLOCKED))
    first, second = await hours(store)
    assert (first.starts_at, second.starts_at) == (at(0), at(HOUR))
    assert [getattr(first, state) for state in State] == [3, 1, 1, 1, 1, 1]
    assert (second.blocked, second.judged, second.availability) == (1, 1, 0.0)
    assert (first.judged, first.reachable) == (7, 4)
    assert first.availability == 4 / 7
    assert first.coverage == 7 / 8
    (day,) = await days(store)
    assert (day.starts_at, day.hours) == (START.replace(hour=0), 2)
    assert [getattr(day, state) for state in State] == [3, 1, 1, 2, 1, 1]
    assert day.coverage == 8 / 9 * 2 / 24


async def test_what_cannot_be_told_is_neither_reachable_nor_unreachable(store: Store) -> None:
    """An hour of insufficient verdicts has no availability at all, and no coverage."""
    await store.save(judged(0, State.INSUFFICIENT))
    (row,) = await hours(store)
    assert (row.availability, row.coverage, row.judged, row.insufficient) == (None, 0.0, 0, 1)


async def test_an_hour_without_a_look_has_no_row(store: Store) -> None:
    """Silence is not filled in with anything."""
    await store.save(judged(0))
    await store.save(judged(36))
    assert [row.starts_at for row in await hours(store)] == [at(0), at(3 * HOUR)]
    (day,) = await days(store)
    assert (day.hours, day.coverage) == (2, 2 / 24)


async def test_storing_a_cycle_again_counts_nothing_again(store: Store) -> None:
    """A cycle that is saved twice, and one that arrives late, count once each."""
    await store.save(judged(1))
    before = await hours(store), await days(store)
    await store.save(judged(1))
    assert (await hours(store), await days(store)) == before
    await store.save(judged(0, State.BLOCKED))
    (row,) = await hours(store)
    assert (row.ok, row.blocked) == (1, 1)


async def test_looks_out_of_turn_and_from_controls_are_not_counted(store: Store) -> None:
    """The fast lane would make trouble weigh more than its time; a control is no reader there."""
    await store.save(judged(0))
    await store.save(judged(1, State.BLOCKED, hurried=True))
    control = judged(2, State.BLOCKED)
    functions = tuple(msgspec.structs.replace(v, vantage_role="control") for v in control.platforms)
    await store.save(msgspec.structs.replace(control, platforms=functions))
    (row,) = await hours(store)
    assert (row.ok, row.blocked) == (1, 0)


async def _two_networks(store: Store) -> None:
    for number in range(30):
        await store.save(judged(number))
        if number >= 12:
            state = State.BLOCKED if number < 24 else State.OK
            await store.save(judged(number, state, vantage="khi-jazz", asn=45669))
        await store.save(judged(number, platforms=("facebook",), vantage="fb", country="BR"))


async def test_networks_are_told_apart_or_taken_together(store: Store) -> None:
    """A country's row is the sum over its networks, and says from how many it was looked."""
    await _two_networks(store)
    apart = await hours(store, country="PK")
    assert [(row.starts_at, row.asn, row.ok, row.blocked) for row in apart] == [
        (at(0), 17557, 12, 0),
        (at(HOUR), 17557, 12, 0),
        (at(HOUR), 45669, 0, 12),
        (at(2 * HOUR), 17557, 6, 0),
        (at(2 * HOUR), 45669, 6, 0),
    ]
    together = await hours(store, country="PK", by_network=False)
    assert [(row.asn, row.ok, row.blocked, row.networks) for row in together] == [
        (None, 12, 0, 1),
        (None, 12, 12, 2),
        (None, 12, 0, 2),
    ]
    (day,) = await days(store, country="PK", by_network=False)
    assert (day.ok, day.blocked, day.networks, day.hours) == (36, 12, 2, 5)
    assert day.coverage == 5 / 48
    assert await hours(store, asn=45669) == [row for row in apart if row.asn == 45669]


@pytest.mark.parametrize("period", Period)
@pytest.mark.parametrize("by_network", [True, False])
async def test_selections_and_places_work_as_elsewhere(
    store: Store, period: Period, *, by_network: bool
) -> None:
    """Filters keep what fits; a listing goes on behind any row; batches keep to their size."""
    await _two_networks(store)
    form = Selection(period=period, by_network=by_network)
    rows = await flat(store.availability(form))
    assert rows == sorted(rows, key=place_of)
    for position, row in enumerate(rows, 1):
        place = place_of(row)
        assert len(place) == LENGTHS[Availability]
        behind = msgspec.structs.replace(form, after=place)
        assert await flat(store.availability(behind)) == rows[position:]
    sizes = [
        len(batch) async for batch in store.availability(msgspec.structs.replace(form, batch=2))
    ]
    assert sum(sizes) == len(rows)
    assert set(sizes[:-1]) <= {2}
    narrow = msgspec.structs.replace(form, platform="x")
    expected = [row for row in rows if row.platform == "x"]
    assert await flat(store.availability(narrow)) == expected


async def test_counts_are_what_counting_the_verdicts_gives(store: Store) -> None:
    """Whatever arrives in whatever order, the rows are those a count of all verdicts would make."""
    chance = random.Random(11)
    cycles = [
        judged(
            number,
            chance.choice(list(State)),
            vantage=f"v-{number % 3}",
            asn=chance.choice([1, 2]),
            platforms=("x", "facebook"),
        )
        for number in chance.sample(range(800), 120)
    ]
    for one in [*cycles, *cycles[:20]]:
        await store.save(one)
    for period, rows in ((Period.HOUR, await hours(store)), (Period.DAY, await days(store))):
        verdicts = [verdict for one in cycles for verdict in one.platforms]
        length = timedelta(hours=1 if period is Period.HOUR else 24)
        seen = 0
        for row in rows:
            of = [
                v
                for v in verdicts
                if (v.platform, v.asn) == (row.platform, row.asn)
                and row.starts_at <= v.judged_at < row.starts_at + length
            ]
            seen += len(of)
            assert {s: getattr(row, s) for s in State} == {s: _count(of, s) for s in State}
            assert row.hours == len({v.judged_at.replace(minute=0) for v in of})
        assert seen == len(verdicts) == 240


def _count(verdicts: Sequence[object], state: State) -> int:
    return sum(getattr(one, "state", None) is state for one in verdicts)
