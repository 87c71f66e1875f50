"""What only a look into the SQLite file shows of what agents hand in."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, event

from probes.measurement import DnsObservation, HttpObservation, Measurement, Purpose
from storage.open_store import sql_store
from storage.sql import schema
from storage.sql.retention import delete_rows, old_keys
from storage.sql.store import SqlStore
from storage.sqlite.backup import backup, check
from storage.store import StorageError
from storage.values.fleet import Reception
from storage.values.prunable import RAW, Prunable
from storage.values.times import text_time, time_text
from tests.contract.agents import batch, enrolment, ids, seen_cycle, waits
from tests.contract.cycles import REACHED, at, cycle, measurement

FAILED = (
    DnsObservation(start=0, duration=1, name="x", rtype="A", resolver="", failure="nxdomain"),
)
OTHERWISE = (HttpObservation(start=0, duration=1, url="https://x.com/", address="", status=451),)
TABLES = ("batch", "batch_cycle", "inbox", "latest_look", "look_hour", "measurement")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "store.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[SqlStore]:
    """An open, empty store."""
    made = sql_store(f"sqlite:///{file}")
    await made.open()
    yield made
    await made.close()


def rows(file: Path, query: str, *values: object) -> list[Any]:
    """What an SQL shell shows."""
    with closing(sqlite3.connect(file)) as database:
        return database.execute(query, values).fetchall()


def filled(file: Path) -> dict[str, int]:
    """How many rows each table has."""
    return {
        name: rows(file, f"SELECT count(*) FROM {name}")[0][0]  # noqa: S608 # words of our own
        for name in TABLES
    }


@contextmanager
def failing(file: Path, table: str, when: str = "1") -> Iterator[None]:
    """Rows of a table for which `when` holds cannot be written."""
    with closing(sqlite3.connect(file)) as database:
        database.execute(
            f"CREATE TRIGGER fails BEFORE INSERT ON {table} WHEN {when} "
            "BEGIN SELECT RAISE(ABORT, 'as if the disk were full'); END"
        )
        yield
        database.execute("DROP TRIGGER fails")


def look(number: int, seconds: float, **fields: Any) -> Measurement:
    """One of several looks from the same network."""
    return replace(measurement(f"m-{number}", seconds, cycle="c"), **fields)


HOUR_LATER = 3600.0


async def test_scheduled_looks_are_counted_by_the_hour(store: SqlStore, file: Path) -> None:
    """Reached, failed, or answered otherwise; in the hour they began, once, and no other looks."""
    looks = (
        *(look(n, n) for n in range(3)),
        look(10, 10, reached=False, observations=FAILED),
        look(11, 11, reached=False, observations=OTHERWISE),
        look(12, 12, observations=(*FAILED, *REACHED)),
        look(13, HOUR_LATER, platform="facebook"),
        look(14, HOUR_LATER),
        *(
            look(20 + n, 1, look=kind)
            for n, kind in enumerate(Purpose)
            if kind is not Purpose.SCHEDULED
        ),
    )
    whole = replace(seen_cycle(1), id="c", measurements=looks)
    twice = replace(seen_cycle(2), measurements=(*looks, look(15, 2 * HOUR_LATER)))
    await store.receive(batch(1), [whole])
    await store.receive(batch(1), [whole])
    await store.receive(batch(2), [twice])
    counts = "SELECT platform, starts_at, asn, network, looks, reached, failed FROM look_hour"
    hours = [f"2024-02-17T{hour}:00:00.000000Z" for hour in (12, 13, 14)]
    assert rows(file, f"{counts} WHERE country = 'PK' ORDER BY 1, 2") == [
        ("facebook", hours[1], 17557, "PTCL", 1, 1, 0),
        ("x", hours[0], 17557, "PTCL", 6, 4, 1),
        ("x", hours[1], 17557, "PTCL", 1, 1, 0),
        ("x", hours[2], 17557, "PTCL", 1, 1, 0),
    ]


async def test_the_newest_look_at_each_endpoint_is_kept_apart(store: SqlStore, file: Path) -> None:
    """By when it began, not when it came; what is not about reaching the endpoint is none."""
    fine, failed = look(1, 10), look(2, 20, reached=False, observations=FAILED)
    late = [look(3, 5), look(4, 30, look=Purpose.TRANSFER), look(5, 31, look=Purpose.FOLLOW_UP)]
    await store.receive(batch(1), [replace(seen_cycle(1), measurements=(failed, fine))])
    await store.receive(batch(2), [replace(seen_cycle(2), measurements=tuple(late))])
    latest = "SELECT country, vantage, platform, measurement, reached, dns_failure FROM latest_look"
    assert rows(file, latest) == [("PK", "khi-ptcl", "x", "m-2", 0, "nxdomain")]


@pytest.mark.parametrize("table", TABLES)
async def test_an_interrupted_transaction_leaves_nothing(
    store: SqlStore, file: Path, table: str
) -> None:
    """Wherever it fails, nothing of the batch is there; sent again, all of it is."""
    with failing(file, table), pytest.raises(StorageError, match="as if the disk were full"):
        await store.receive(batch(1), [seen_cycle(1)])
    assert filled(file) == dict.fromkeys(TABLES, 0)
    assert await store.receive(batch(1), [seen_cycle(1)]) == Reception(known=False, measurements=4)
    assert min(filled(file).values()) > 0


async def test_an_enrolment_that_fails_revokes_nothing(store: SqlStore, file: Path) -> None:
    """The old key goes with the new one's coming, in one transaction."""
    await store.enrol(enrolment(1))
    with failing(file, "enrolment"), pytest.raises(StorageError):
        await store.enrol(enrolment(2, 60))
    assert await store.enrolments() == [enrolment(1)]


async def test_what_cannot_be_stored_takes_no_others_along(store: SqlStore, file: Path) -> None:
    """Of callers stored together, the one at fault gets the error and all others their answer."""
    callers = [store.receive(batch(n), [seen_cycle(n)]) for n in range(20)]
    with failing(file, "batch", "NEW.id LIKE '%000013'"):
        answers = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(answers.pop(13), StorageError)
    assert answers == [Reception(known=False, measurements=4)] * 19
    assert len(await store.waiting(100)) == 19


async def test_callers_who_wait_together_share_a_transaction(store: SqlStore) -> None:
    """A hundred batches at once are on disk after a few commits, apart after a hundred."""
    commits: list[Connection] = []

    def note(connection: Connection) -> None:
        commits.append(connection)

    event.listen(Engine, "commit", note)
    for n in range(100):
        await store.receive(batch(n), [seen_cycle(n)])
    apart = len(commits)
    await asyncio.gather(*(store.receive(batch(n), [seen_cycle(n)]) for n in range(100, 200)))
    event.remove(Engine, "commit", note)
    assert apart == 100
    assert len(commits) - apart < 10
    assert len(await store.waiting(1000)) == 200


async def test_hours_are_pruned_by_when_they_began(store: SqlStore, file: Path) -> None:
    """The hour that began just then stays."""
    for n in range(0, 48, 4):
        await store.receive(batch(n), [seen_cycle(n)])
    before = rows(file, "SELECT DISTINCT starts_at FROM look_hour ORDER BY 1")
    assert len(before) == 4
    limit = text_time(before[2][0])
    assert [gone async for gone in store.prune(Prunable.LOOK_HOUR, limit)] == [4]
    assert rows(file, "SELECT DISTINCT starts_at FROM look_hour ORDER BY 1") == before[2:]


async def test_attack_looks_at_endpoints_that_nobody_lists_do_not_stay_for_ever(
    store: SqlStore, file: Path
) -> None:
    """A key sent a look at another invented endpoint each time: the newest look at each stayed,
    whatever the configuration says of old rows. A look at a listed one stays by coming again."""
    kept = "SELECT endpoint, started_at FROM latest_look ORDER BY 1"
    for n in range(9):
        invented = look(2 * n, 60.0 * n, endpoint=f"https://{n}.nobody.example/")
        listed = look(2 * n + 1, 60.0 * n, endpoint="https://x.com/")
        sent = replace(seen_cycle(n), measurements=(invented, listed))
        await store.receive(batch(n), [sent])
    assert len(rows(file, kept)) == 10
    limit = at(60.0 * 8)
    gone = {what: sum([n async for n in store.prune(what, limit)]) for what in RAW}
    assert gone[Prunable.LATEST_LOOK] == 8
    names = [endpoint for endpoint, _ in rows(file, kept)]
    assert names == ["https://8.nobody.example/", "https://x.com/"]


async def test_a_look_that_comes_while_old_ones_are_deleted_stays(
    store: SqlStore, file: Path
) -> None:
    """The row was old when it was found, and another look is in it by now."""
    listed = [look(n, 600.0 * n, endpoint="https://x.com/") for n in range(2)]
    await store.receive(batch(0), [replace(seen_cycle(0), measurements=(listed[0],))])
    limit = time_text(at(60))
    found = await store._read(lambda connection: old_keys(connection, Prunable.LATEST_LOOK, limit))
    await store.receive(batch(1), [replace(seen_cycle(1), measurements=(listed[1],))])
    await store._write(lambda connection: delete_rows(connection, Prunable.LATEST_LOOK, found))
    assert rows(file, "SELECT measurement FROM latest_look") == [(listed[1].id,)]


async def test_a_caller_that_gives_up_holds_nobody_up(store: SqlStore) -> None:
    """Its batch is stored all the same, and the next ones are answered."""
    gone = asyncio.create_task(store.receive(batch(1), [seen_cycle(1)]))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await store.receive(batch(2), [seen_cycle(2)])).measurements == 4
    assert await store.receive(batch(1), [seen_cycle(1)]) == Reception(known=True)


async def test_a_closed_store_refuses_and_answers(file: Path) -> None:
    """Everybody who waits hears of it."""
    store = sql_store(f"sqlite:///{file}")
    with pytest.raises(StorageError, match="is not open"):
        await store.receive(batch(1), [seen_cycle(1)])


@contextmanager
def asked() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is sent, with its values."""
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        found.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


async def test_what_is_asked_all_the_time_is_found_by_an_index(store: SqlStore, file: Path) -> None:
    """SQLite's own plan of each question names the index made for it, and sorts no table."""
    one = seen_cycle(1)
    await store.receive(batch(1), [one])
    questions = {
        "measurement_by_cycle": store.measurements_of(waits(one, batch(1))),
        "measurement_of_controls_by_started_at": store.control_measurements(at(0), at(900)),
        "batch_cycle_by_cycle": store.received_batches([one.id]),
        "inbox_by_finished_at": store.waiting(10),
    }
    for index, question in questions.items():
        with asked() as statements:
            await question
        plans = [
            detail
            for statement, values in statements
            if statement.startswith("SELECT")
            for *_, detail in rows(file, f"EXPLAIN QUERY PLAN {statement}", *values)
        ]
        assert any(index in detail for detail in plans), plans
        assert not any(detail.startswith("SCAN measurement") for detail in plans), plans


async def test_copies_hold_and_have_it_all(store: SqlStore, file: Path, tmp_path: Path) -> None:
    """`db backup` and `db check` work with all of it there, and a store opens the copy."""
    await store.enrol(enrolment(1))
    await store.receive(batch(1), [seen_cycle(1), seen_cycle(2)])
    await store.save(cycle(2))
    backup(str(file), tmp_path / "copy.db")
    assert check(str(tmp_path / "copy.db")) == []
    copy = sql_store(f"sqlite:///{tmp_path / 'copy.db'}")
    await copy.open()
    assert await copy.enrolments() == [enrolment(1)]
    assert ids(await copy.waiting(10)) == [seen_cycle(1).id]
    assert await copy.received_batches([seen_cycle(2).id]) == [batch(1)]
    await copy.close()


ADDRESSES = {"address", "addr", "ip", "host", "peer", "remote", "client", "origin", "forwarded"}


def test_no_column_is_meant_for_an_address_of_whoever_sends() -> None:
    """Where an agent sends from is not asked for, so there is no place to put it."""
    words = {
        (table.name, column.name): set(column.name.split("_"))
        for table in schema.metadata.tables.values()
        for column in table.columns
    }
    assert len(words) > 100
    assert [place for place, parts in words.items() if parts & ADDRESSES] == []
