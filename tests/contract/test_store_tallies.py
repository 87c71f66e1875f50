"""Verdicts are counted alike from days, hours and themselves, on every store."""

import random
from datetime import datetime, timedelta

import msgspec
import pytest
from sqlalchemy import Connection

from monitor.analysis.coverage import Cause, Tallies, Tally, coverage_of
from monitor.analysis.verdict import State
from probes.vantage import VantageRole
from storage.sql.store import SqlStore
from storage.sql.tallies import tallies
from storage.store import CollectorStore, Store
from storage.values.cycle import Cycle
from storage.values.prunable import RAW
from storage.values.selection import Selection
from tests.contract.agents import quarantine
from tests.contract.cycles import at, cycle

HOUR = 3600
DAY = 24 * HOUR
RULES = {
    State.INSUFFICIENT: ("control.missing", "vantage.offline", "look.unexplained"),
    State.OK: ("endpoint.reached",),
    State.BLOCKED: ("tls.reset",),
    State.DOWN: ("control.also_fails",),
}


def judged(
    number: int,
    state: State = State.OK,
    rule: str = "endpoint.reached",
    *,
    seconds: float | None = None,
    vantage: str = "khi-ptcl",
    country: str = "PK",
    asn: int = 17557,
    platforms: tuple[str, ...] = ("x",),
    **changes: object,
) -> Cycle:
    """A cycle of which every platform verdict says `state` by that rule."""
    made = cycle(
        number,
        vantage=vantage,
        country=country,
        platforms=platforms,
        endpoints=1,
        seconds=seconds,
    )
    verdicts = tuple(
        msgspec.structs.replace(one, state=state, rule_id=rule, asn=asn, network=f"AS{asn}")
        for one in made.platforms
    )
    return msgspec.structs.replace(made, platforms=verdicts, **changes)


def expected(
    cycles: list[Cycle], since: datetime | None, until: datetime | None, **wanted: object
) -> list[Tally]:
    """The same, counted one by one."""
    counted = Tallies()
    for one in (verdict for each in cycles for verdict in each.platforms):
        in_time = (since is None or one.judged_at >= since) and (
            until is None or one.judged_at < until
        )
        if in_time and all(getattr(one, name) == value for name, value in wanted.items()):
            counted.add(one)
    return list(counted.made())


def plain(found: list[Tally]) -> list[tuple[object, ...]]:
    """What counts, without states and causes of zero."""
    return [
        (
            *(one.country, one.platform, one.asn, one.network, one.hours),
            {state: number for state, number in one.states.items() if number},
            {cause: number for cause, number in one.undecided.items() if number},
        )
        for one in found
    ]


async def world(store: Store) -> list[Cycle]:
    """Four days with holes, of three networks in two countries."""
    rng = random.Random(14)
    cycles = []
    for number in range(160):
        state = rng.choice(list(RULES))
        country, asn = rng.choice([("PK", 1), ("PK", 2), ("BR", 3)])
        cycles.append(
            judged(
                number,
                state,
                rng.choice(RULES[state]),
                seconds=rng.uniform(0, 4 * DAY),
                vantage=f"v-{asn}",
                country=country,
                asn=asn,
                platforms=("x", "facebook") if number % 2 else ("x",),
            )
        )
        await store.save(cycles[-1])
    return cycles


TIMES = [
    (None, None),
    (at(0), at(4 * DAY)),
    (at(3 * HOUR), at(3 * DAY)),
    (at(1234), at(3 * DAY + 567)),
    (at(HOUR + 1), at(HOUR + 1700)),
    (at(HOUR + 1), at(2 * HOUR + 1700)),
    (at(1800), at(7 * HOUR)),
    (None, at(2 * DAY + 99)),
    (at(DAY + 99), None),
    (at(12 * HOUR), at(36 * HOUR)),
    (at(5 * DAY), at(6 * DAY)),
]


@pytest.mark.parametrize("wanted", [{}, {"country": "PK"}, {"platform": "x", "asn": 2}])
async def test_the_sums_are_those_of_the_verdicts(store: Store, wanted: dict[str, object]) -> None:
    """Whatever hours and days the time begins and ends in."""
    cycles = await world(store)
    for since, until in TIMES:
        selection = Selection(since=since, until=until, **wanted)  # type: ignore[arg-type]
        found = await store.tallies(selection)
        assert plain(found) == plain(expected(cycles, since, until, **wanted)), (since, until)


async def test_controls_are_not_counted(store: Store) -> None:
    """Coverage is about vantages where blocking may happen."""
    made = judged(0)
    verdicts = tuple(
        msgspec.structs.replace(one, vantage_role=VantageRole.CONTROL) for one in made.platforms
    )
    await store.save(msgspec.structs.replace(made, platforms=verdicts))
    for until in (None, at(HOUR), at(1800)):
        assert await store.tallies(Selection(since=at(0), until=until)) == []


@pytest.mark.parametrize("until", [at(HOUR), at(1800), None])
async def test_cycles_out_of_turn_do_not_weigh(store: Store, until: datetime | None) -> None:
    """In whole hours and in parts of one, neither they nor their causes count."""
    await store.save(judged(0, State.INSUFFICIENT, "control.missing"))
    await store.save(judged(1, State.INSUFFICIENT, "control.missing", hurried=True))
    await store.save(judged(2, State.INSUFFICIENT, "vantage.lossy"))
    (found,) = await store.tallies(Selection(since=at(0), until=until))
    assert found.undecided == {Cause.NO_CONTROL: 1, Cause.LOSSY: 1}


async def test_what_is_deleted_has_an_unknown_cause(store: Store) -> None:
    """The counts stay, and say that some were undecided."""
    await store.save(judged(0, State.INSUFFICIENT, "control.missing"))
    await store.save(judged(1))
    for what in RAW:
        async for _ in store.prune(what, at(DAY)):
            pass
    (found,) = await store.tallies(Selection(since=at(0), until=at(HOUR)))
    assert (found.decided, found.undecided) == (1, {Cause.UNKNOWN: 1})


async def test_causes_of_very_many_verdicts_are_not_searched(store: Store) -> None:
    """A reader of all years may not keep the database busy: then the cause is not counted."""
    assert isinstance(store, SqlStore)
    for number in range(4):
        await store.save(judged(number, State.INSUFFICIENT, "control.missing"))

    def read(connection: Connection) -> list[Tally]:
        return tallies(connection, Selection(), 3)

    (found,) = await store._read(read)
    assert found.undecided == {Cause.UNKNOWN: 4}


@pytest.mark.parametrize("until", [at(DAY), at(HOUR), at(1800), None])
async def test_what_a_vantage_decides_in_quarantine_is_undecided(
    store: CollectorStore, until: datetime | None
) -> None:
    """In whole days and hours and in parts of one, nobody may say by it that nothing is blocked."""
    await store.save(judged(0, vantage="doubted"))
    await store.save(judged(1, State.BLOCKED, "tls.reset", vantage="doubted"))
    await store.save(judged(2, State.INSUFFICIENT, "control.missing", vantage="doubted"))
    await store.save(judged(3, vantage="doubted", hurried=True))
    await store.save(judged(4, vantage="trusted"))
    await store.save(judged(5, vantage="abroad", country="BR"))
    held = msgspec.structs.replace(quarantine("doubted"), since=None)
    await store.quarantine(held)
    wanted = Selection(since=at(0), until=until)
    there = {one.country: one for one in await store.tallies(wanted)}
    assert there["PK"].decided == 1
    assert there["PK"].undecided == {Cause.UNKNOWN: 2, Cause.NO_CONTROL: 1}
    assert there["BR"].decided == 1
    await store.quarantine(msgspec.structs.replace(held, since=at(250)))
    (found,) = await store.tallies(msgspec.structs.replace(wanted, country="PK"))
    assert (found.states[State.OK], found.states[State.BLOCKED]) == (2, 0)
    await store.quarantine(msgspec.structs.replace(held, until=at(250)))
    (found,) = await store.tallies(msgspec.structs.replace(wanted, country="PK"))
    assert (found.states[State.OK], found.states[State.BLOCKED]) == (1, 1)
    assert await store.release("doubted")
    (found,) = await store.tallies(msgspec.structs.replace(wanted, country="PK"))
    assert (found.decided, found.undecided) == (3, {Cause.NO_CONTROL: 1})


async def test_the_coverage_of_a_week_says_what_is_missing(store: Store) -> None:
    """Two hours of 168 were measured; the rest is counted in cycles."""
    for number in range(24):
        await store.save(judged(number))
    since, until = at(0), at(0) + timedelta(days=7)
    found = await store.tallies(Selection(since=since, until=until))
    coverage = coverage_of(found, since, until, 300)
    assert (coverage.cycles, coverage.decided, coverage.not_measured) == (24, 24, 166 * 12)
