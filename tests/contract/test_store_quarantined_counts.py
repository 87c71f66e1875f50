"""What a vantage in quarantine decided counts as insufficient, on every store."""

import random
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import create_engine, text

from monitor.analysis.verdict import State
from storage.open_store import sql_store
from storage.store import CollectorStore
from storage.values import codecs
from storage.values.cycle import Cycle
from storage.values.fleet import Quarantine
from storage.values.prunable import RAW
from storage.values.rollup import COUNTS, Period
from storage.values.selection import Selection
from tests.contract.agents import quarantine
from tests.contract.conftest import KINDS, url_of
from tests.contract.cycles import at
from tests.contract.listing import flat
from tests.contract.test_store_tallies import judged
from tests.worlds.memory_store import MemoryStore

HOUR = 3600
DAY = 24 * HOUR
SELECTIONS = [
    Selection(),
    Selection(by_network=False),
    Selection(period=Period.DAY),
    Selection(period=Period.MONTH, timezone="Asia/Karachi"),
    Selection(period=Period.DAY, since=at(1234), until=at(DAY + 4567)),
    Selection(since=at(HOUR + 10), until=at(HOUR + 3000)),
]
"""Hours and days as they are stored, and periods that need parts of them."""


async def counts(store: CollectorStore) -> list[object]:
    """Everything that is made of counts."""
    listed: list[object] = [await flat(store.availability(one)) for one in SELECTIONS]
    for since, until in ((at(0), at(2 * DAY)), (at(1234), at(DAY + 4567))):
        wanted = Selection(since=since, until=until, by_network=True)
        listed.append(await store.cells(wanted, timedelta(hours=6)))
        # Of what a vantage in quarantine decided the cause is unknown.
        listed += [
            msgspec.structs.replace(one, undecided=sum(one.undecided.values()))
            for one in await store.tallies(wanted)
        ]
    return listed


def undecided(cycle: Cycle, held: Quarantine | None) -> Cycle:
    """The cycle as it is counted."""
    if held is None or not held.covers(cycle.started_at):
        return cycle
    verdicts = [msgspec.structs.replace(one, state=State.INSUFFICIENT) for one in cycle.platforms]
    return msgspec.structs.replace(cycle, platforms=tuple(verdicts))


@pytest.mark.parametrize("seed", range(4))
async def test_counts_are_as_if_it_had_decided_nothing(store: CollectorStore, seed: int) -> None:
    """Whenever it is quarantined, with whatever bounds, before and after it measured."""
    rng = random.Random(seed)
    states = [*COUNTS, State.PARTIAL]
    cycles: list[Cycle] = []
    held: dict[str, Quarantine] = {}
    for number in range(60):
        vantage = rng.choice(["one", "two", "three"])
        cycles.append(
            judged(
                number,
                rng.choice(states),
                seconds=rng.uniform(0, 2 * DAY),
                vantage=vantage,
                asn=1 if vantage == "one" else 2,
                platforms=("x", "facebook"),
                hurried=rng.random() < 0.1,
            )
        )
        await store.save(cycles[-1])
        if number % 5 == 4:
            vantage = rng.choice(["one", "two"])
            if vantage in held and rng.random() < 0.4:
                assert await store.release(vantage)
                del held[vantage]
            else:
                since, until = sorted((rng.uniform(0, DAY), rng.uniform(DAY, 2 * DAY)))
                held[vantage] = msgspec.structs.replace(
                    quarantine(vantage),
                    since=rng.choice([None, at(since)]),
                    until=rng.choice([None, at(until)]),
                )
                await store.quarantine(held[vantage])
    other = MemoryStore()
    await other.open()
    for one in cycles:
        await other.save(undecided(one, held.get(one.vantage)))
    assert await counts(store) == await counts(other)


async def test_of_a_vantage_that_moved_all_is_counted_alike(store: CollectorStore) -> None:
    """In the country where it is by now, which the quarantine names, and where it was before."""
    await store.save(judged(0, State.BLOCKED, country="PK"))
    await store.save(judged(1, State.BLOCKED, country="IN"))
    await store.quarantine(msgspec.structs.replace(quarantine(), country="IN"))
    for held in (True, False):
        for period in (Period.HOUR, Period.DAY):
            rows = await flat(store.availability(Selection(period=period)))
            counted = [(row.country, row.blocked, row.insufficient) for row in rows]
            assert counted == [("IN", int(not held), int(held)), ("PK", int(not held), int(held))]
        await store.release("khi-ptcl")


async def test_what_is_deleted_stays_as_it_was_counted(store: CollectorStore) -> None:
    """A quarantine changes what is still there, and neither it nor its end what is not."""
    await store.save(judged(0, State.BLOCKED, vantage="early"))
    await store.save(judged(1, State.BLOCKED, vantage="late"))
    await store.quarantine(quarantine("early"))
    for what in RAW:
        async for _ in store.prune(what, at(DAY)):
            pass
    await store.quarantine(quarantine("late"))
    assert await store.release("early")
    for period in (Period.HOUR, Period.DAY):
        (row,) = await flat(store.availability(Selection(period=period)))
        assert (row.blocked, row.insufficient) == (1, 1)


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    return url_of(request.param, request, tmp_path)


async def test_an_upgrade_counts_anew(url: str) -> None:
    """Releases of before counted the verdicts of quarantined vantages by their states."""
    store = sql_store(url)
    await store.open()
    rng = random.Random(5)
    for number in range(40):
        state = rng.choice([*COUNTS, State.PARTIAL])
        vantage = rng.choice(["one", "two", "three"])
        await store.save(judged(number, state, seconds=rng.uniform(0, DAY), vantage=vantage))
    held = [
        msgspec.structs.replace(quarantine("one"), since=None),
        msgspec.structs.replace(quarantine("two"), since=at(HOUR), until=at(9 * HOUR)),
    ]
    before = await counts(store)
    for one in held:
        await store.quarantine(one)
    counted = await counts(store)
    assert counted != before
    rows = await store.quarantines()
    for one in held:
        assert await store.release(one.vantage)
    assert await counts(store) == before
    await store.close()

    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for one in rows:
            values = codecs.QUARANTINE.encode(one)
            named = dict(zip(codecs.QUARANTINE.names, values, strict=True))
            marks = ", ".join(f":{name}" for name in named)
            connection.execute(
                text(f"INSERT INTO quarantine ({', '.join(named)}) VALUES ({marks})"),  # noqa: S608
                named,
            )
        connection.execute(text("UPDATE alembic_version SET version_num = '0033'"))
    engine.dispose()
    await store.open()
    assert await counts(store) == counted
    await store.close()
