"""PostgreSQL in particular: tables and months, several writers, a server that comes and goes."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from storage.open_store import sql_store
from storage.postgresql.partitions import AHEAD, TIMES, months_ahead
from storage.sql.schema import metadata
from storage.sql.store import SqlStore
from storage.store import InUseError, Recording, StorageError
from storage.values.prunable import Prunable
from storage.values.rollup import Period
from storage.values.selection import Selection
from tests.contract.cycles import at, cycle, event, log_entry, measurement, notice, review
from tests.contract.listing import EVERYTHING, contents, flat
from tests.worlds.postgresql import Cluster

pytestmark = pytest.mark.postgres
OURS = (
    "SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
    "AND relname <> 'alembic_version' AND relnamespace = 'public'::regnamespace"
)
DEFINED = "pg_get_constraintdef(oid) FROM pg_constraint"
PARTS = (
    "SELECT relname, pg_get_partkeydef(oid) FROM pg_class WHERE relkind = 'p' ORDER BY 1",
    f"SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ({OURS}) ORDER BY 1",  # noqa: S608
    f"SELECT conrelid::regclass::text, {DEFINED} WHERE conrelid IN ({OURS}) ORDER BY 1, 2",
    "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
)
"""What Alembic does not compare."""
LATE = 40 * 86400.0
"""Seconds after START: the month after the next."""


@pytest.fixture
async def store(cluster: Cluster, database: str) -> AsyncIterator[SqlStore]:
    """An open, empty store."""
    store = sql_store(cluster.url(database), busy_timeout=0.5)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def fresh(cluster: Cluster) -> Iterator[str]:
    """A database with nothing in it."""
    name = cluster.new_database()
    yield name
    cluster.drop_database(name)


def _months(cluster: Cluster, database: str, table: str) -> set[str]:
    rows = cluster.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits "  # noqa: S608 # our own name
        f"WHERE inhparent = '{table}'::regclass",
        database,
    )
    return {str(name).removeprefix(f"{table}_") for (name,) in rows}


def test_migrating_gives_the_tables_of_the_schema(cluster: Cluster, database: str) -> None:
    """Alembic sees no difference, partitions apart, and every text sorts by its characters'
    numbers: on a server that sorts it otherwise."""
    engine = create_engine(cluster.url(database).replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _: (
                    (kind != "table" or name in metadata.tables or "_20" not in name)
                    and not str(name).endswith("_other")
                )
            },
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    assert cluster.execute("SELECT 'a' < 'B'", database) == [(True,)]
    odd = cluster.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'text' "
        "AND table_schema = 'public' AND collation_name IS DISTINCT FROM 'C'",
        database,
    )
    assert odd == []


def test_migrating_gives_the_same_partitions_and_keys_as_the_schema(
    cluster: Cluster, fresh: str, database: str
) -> None:
    """What Alembic does not compare is the same: how tables are cut, keys, indexes, triggers."""
    engine = create_engine(cluster.url(fresh).replace("postgresql:", "postgresql+psycopg:"))
    metadata.create_all(engine)
    engine.dispose()
    for question in PARTS:
        migrated = cluster.execute(question, database)
        assert migrated == cluster.execute(question, fresh)
        assert len(migrated) >= len(TIMES)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event_log SET detail = 'x'",
        "DELETE FROM event_log",
        "TRUNCATE event_log CASCADE",
        "DELETE FROM event",
        "UPDATE review SET note = ''",
        "DELETE FROM review",
        "TRUNCATE review",
    ],
)
async def test_the_record_cannot_be_rewritten(
    store: SqlStore, cluster: Cluster, database: str, change: str
) -> None:
    """Not even by hand in SQL: the database itself refuses, and keeps the event it is about."""
    await store.save(cycle(1), [event()], [log_entry(1, event())], notices=[notice(1)])
    await store.add_review(review())
    with pytest.raises(psycopg.Error, match=r"append-only|violates foreign key"):
        cluster.execute(change, database)
    assert await flat(store.event_log("event-1")) == [log_entry(1, event())]
    assert await store.reviews() == [review()]


async def test_a_database_of_another_program_is_refused(cluster: Cluster, fresh: str) -> None:
    """It is named, and left as it was."""
    cluster.execute("CREATE TABLE recipes (name text)", fresh)
    with pytest.raises(StorageError, match=r"belongs to another program.*recipes"):
        await sql_store(cluster.url(fresh)).open()
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert cluster.execute(tables, fresh) == [(1,)]


async def test_a_database_without_tables_is_only_made_where_wanted(
    cluster: Cluster, fresh: str
) -> None:
    """A command that only reads says that there is nothing yet; several that may make the tables
    at once all succeed."""
    with pytest.raises(StorageError, match=r"holds nothing yet: `shutwatch run` makes its tables"):
        await sql_store(cluster.url(fresh), create=False).open()
    stores = [sql_store(cluster.url(fresh)) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.save(cycle(n)) for n, store in enumerate(stores)))
    assert len(await flat(stores[0].measurements(EVERYTHING))) == 4 * 4
    for store in stores:
        await store.close()


async def test_months_are_made_ahead(store: SqlStore, cluster: Cluster, database: str) -> None:
    """The present month, those to come, and one for all other times, of each table that is cut."""
    await store.save(cycle(1))
    ahead = {month.replace("-", "_") for month in months_ahead()}
    assert len(ahead) == AHEAD + 1
    for table in TIMES:
        assert _months(cluster, database, table) == {*ahead, "2024_02", "other"}


async def test_no_time_is_refused(store: SqlStore, cluster: Cluster, database: str) -> None:
    """A clock that is decades off makes no partition, and what it dates is found like the rest."""
    looks = [measurement(f"m-{n}", n * 4e8) for n in range(-4, 5)]
    for number, look in enumerate(looks):
        await store.save(cycle(number, measurements=(look,)))
    assert await flat(store.measurements(EVERYTHING)) == looks
    assert len(_months(cluster, database, "measurement")) < AHEAD + 2 + len(looks)
    (others,) = cluster.execute("SELECT count(*) FROM measurement_other", database)
    assert others != (0,)
    assert sum([n async for n in store.prune(Prunable.MEASUREMENT, at(1e9))]) == 7
    assert await flat(store.measurements(EVERYTHING)) == looks[-2:]


async def test_rows_move_to_their_month_when_it_is_made(
    store: SqlStore, cluster: Cluster, database: str
) -> None:
    """What lay among the other times, because nobody made its month, is in it afterwards."""
    await store.save(cycle(1))
    cluster.execute(
        "BEGIN; CREATE TEMPORARY TABLE kept AS SELECT * FROM measurement; "
        "DROP TABLE measurement_2024_02; INSERT INTO measurement SELECT * FROM kept; COMMIT",
        database,
    )
    assert cluster.execute("SELECT count(*) FROM measurement_other", database) == [(4,)]
    before = await flat(store.measurements(EVERYTHING))
    again = sql_store(cluster.url(database))
    await again.open()
    await again.save(cycle(2))
    await again.close()
    assert cluster.execute("SELECT count(*) FROM measurement_other", database) == [(0,)]
    assert cluster.execute("SELECT count(*) FROM measurement_2024_02", database) == [(8,)]
    assert (await flat(store.measurements(EVERYTHING)))[:4] == before


async def test_old_months_are_dropped_whole(
    store: SqlStore, cluster: Cluster, database: str
) -> None:
    """A month that is over goes as one, with all its rows counted; of the one in which the limit
    lies, only older rows go."""
    for number in range(30):
        await store.save(cycle(number))
        await store.save(cycle(1000 + number, seconds=LATE + number * 300))
    limit = at(LATE + 15 * 300)
    for what in (Prunable.MEASUREMENT, Prunable.VERDICT, Prunable.PLATFORM_VERDICT):
        assert "2024_02" in _months(cluster, database, what)
        gone = [n async for n in store.prune(what, limit)]
        assert gone[0] == (60 if what is Prunable.PLATFORM_VERDICT else 120)
        assert "2024_02" not in _months(cluster, database, what)
        assert "2024_03" in _months(cluster, database, what)
    left = await flat(store.measurements(EVERYTHING))
    assert len(left) == 60
    assert all(look.started_at >= limit for look in left)
    await store.save(cycle(5000, seconds=60))
    assert len(await flat(store.measurements(EVERYTHING))) == 64


async def test_dropping_a_month_keeps_nobody_waiting(
    store: SqlStore, cluster: Cluster, database: str
) -> None:
    """While somebody reads the month for long, pruning tries again and again, and cycles are
    stored meanwhile; once the reader is done, the month goes."""
    await store.save(cycle(1))
    with psycopg.connect(cluster.conninfo(database)) as reader:
        reader.execute("SELECT count(*) FROM measurement")
        pruned = asyncio.create_task(_pruned(store, Prunable.MEASUREMENT))
        took = []
        for number in range(10):
            begun = asyncio.get_running_loop().time()
            await store.save(cycle(100 + number, seconds=LATE + number))
            took.append(asyncio.get_running_loop().time() - begun)
            await asyncio.sleep(0.2)
        assert not pruned.done()
        assert max(took) < 2
        reader.rollback()
    assert await pruned == [4]
    assert len(await flat(store.measurements(EVERYTHING))) == 40


async def _pruned(store: SqlStore, what: Prunable) -> list[int]:
    return [rows async for rows in store.prune(what, at(LATE))]


async def test_several_writers_at_once_lose_and_double_nothing(
    cluster: Cluster, database: str
) -> None:
    """Four stores write cycles that share control looks, hours and latest rows, each of them also
    what another one writes: everything is there once, counts are exact, nobody fails."""
    shared = tuple(
        measurement(f"control-{n:03}", n, endpoint=f"https://x.com/{n}") for n in range(40)
    )
    cycles = [
        cycle(
            number,
            endpoints=20,
            vantage=f"v-{number % 3}",
            measurements=(*shared[number % 7 :], *shared[: number % 7]) if number % 2 else None,
        )
        for number in range(40)
    ]
    async with AsyncExitStack() as stack:
        stores = []
        for _ in range(4):
            store = sql_store(cluster.url(database))
            await store.open()
            stack.push_async_callback(store.close)
            stores.append(store)

        async def write(store: SqlStore, first: int) -> None:
            for number in range(len(cycles)):
                await store.save(cycles[(number * (first + 1)) % len(cycles)])

        await asyncio.gather(*(write(store, number) for number, store in enumerate(stores)))
        written = {c.id for store in (0, 1, 2, 3) for c in cycles}
        found = await flat(stores[0].measurements(EVERYTHING))
        assert len({look.id for look in found}) == len(found)
        assert {look.id for look in found} == {look.id for c in cycles for look in c.measurements}
        verdicts = await flat(stores[1].platforms(EVERYTHING))
        assert len(verdicts) == sum(len(c.platforms) for c in cycles)
        assert {verdict.cycle for verdict in verdicts} <= {*written, ""}
        for period in Period:
            counted = await flat(stores[2].availability(Selection(period=period)))
            assert sum(row.judged for row in counted) == len(verdicts)
        days = await flat(stores[2].availability(Selection(period=Period.DAY)))
        hours = await flat(stores[2].availability(EVERYTHING))
        assert sum(day.hours for day in days) == len(hours)
        latest = {health.vantage: health.at for health in await stores[3].latest_health()}
        assert latest == {
            vantage: max(c.health.at for c in cycles if c.vantage == vantage)
            for vantage in ("v-0", "v-1", "v-2")
        }


async def test_writers_in_each_others_way_try_again(cluster: Cluster, database: str) -> None:
    """A deadlock that another program causes costs a moment, no cycle."""
    store = sql_store(cluster.url(database))
    await store.open()
    await store.save(cycle(1))
    key = "WHERE vantage = 'khi-ptcl' AND platform = "
    touch = "UPDATE latest_platform SET llr = llr "
    with psycopg.connect(cluster.conninfo(database)) as other:
        other.execute("SET deadlock_timeout = '10s'")
        other.execute(f"{touch}{key}'x'".encode())
        saving = asyncio.create_task(store.save(cycle(2)))
        await asyncio.sleep(0.2)
        # The cycle holds facebook's row by now, and waits for x's.
        await asyncio.to_thread(other.execute, f"{touch}{key}'facebook'".encode())
        other.commit()
    await saving
    assert {p.cycle for p in await store.latest_platforms()} == {"cycle-khi-ptcl-000002"}
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    await store.close()
    assert cluster.execute(deadlocks, database) == [(1,)]


async def test_a_lock_that_is_never_let_go_fails_with_advice(
    store: SqlStore, cluster: Cluster, database: str
) -> None:
    """After its patience a save says what is in the way; once that is gone, saving works again."""
    with psycopg.connect(cluster.conninfo(database)) as other:
        other.execute("LOCK TABLE latest_platform")
        with pytest.raises(StorageError, match="is locked by another program"):
            await store.save(cycle(1))
    await store.save(cycle(1))
    assert len(await flat(store.measurements(EVERYTHING))) == 4


async def test_a_connection_that_is_cut_costs_one_call_at_most(
    store: SqlStore, cluster: Cluster, database: str
) -> None:
    """Ended by the server in the middle of saving, a cycle is stored whole or not at all, and may
    be saved again; connections that were cut while idle are not even noticed."""
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "  # noqa: S608
        f"'{database}' AND application_name = 'shutwatch'"
    )
    failed = 0
    for number in range(20):
        saving = asyncio.create_task(store.save(cycle(number, endpoints=40)))
        await asyncio.sleep(0.003 * (number % 7))
        cluster.execute(cut)
        try:
            await saving
        except StorageError as error:
            assert "cannot be reached" in str(error)  # noqa: PT017 # it may as well succeed
            failed += 1
            await store.save(cycle(number, endpoints=40))
        assert len(await flat(store.measurements(EVERYTHING))) == (number + 1) * 80
    assert failed > 0
    cluster.execute(cut)
    await store.save(cycle(100))
    assert len(await flat(store.verdicts(EVERYTHING))) == 20 * 80 + 4


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_server_that_comes_back_is_found_again(how: signal.Signals) -> None:
    """While it is stopped, or after it crashed, every call fails and says so; once it runs again
    everything reported stored is there, and the same store goes on."""
    server = Cluster()
    try:
        server.start()
        store = sql_store(server.url(server.new_database()))
        await store.open()
        await store.save(cycle(1), [event()], [log_entry(1, event())])
        before = await contents(store, "event-1")
        server.stop(how)
        for _ in range(2):
            with pytest.raises(StorageError, match="cannot be reached: check that PostgreSQL runs"):
                await store.save(cycle(2))
            with pytest.raises(StorageError, match="cannot be reached"):
                await store.latest_platforms()
        server.start()
        assert await contents(store, "event-1") == before
        await store.save(cycle(2))
        assert len(await flat(store.measurements(EVERYTHING))) == 8
        await store.close()
    finally:
        server.remove()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:s3cret@127.0.0.1:1/db", "db on 127.0.0.1 cannot be reached"),
        ("postgresql://u:s3cret@127.0.0.1:1/db?s3cret=1", "names an option that libpq does not"),
        ("postgresql://u:s3cret@127.0.0.1:nan/db", "a number behind the host"),
        ("postgresql://u:s3cret@127.0.0.1:1:2/db", "cannot be read"),
        ("postgresql+pg8000://u:s3cret@127.0.0.1/db", "SQLite or PostgreSQL"),
        ("postgresql://u:s3cret@127.0.0.1/", "the name of the database at the end"),
    ],
)
async def test_what_cannot_be_opened_is_named_without_its_password(url: str, says: str) -> None:
    """Database and host, never the password, wherever it stands."""
    with pytest.raises(StorageError, match=re.escape(says)) as caught:
        await sql_store(url).open()
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in str(error)
        error = error.__cause__


async def test_who_is_not_let_in_is_told_why(cluster: Cluster) -> None:
    """A database or user that does not exist is not taken for a server that is down."""
    with pytest.raises(StorageError, match=r"nothing on .* does not exist: make it"):
        await sql_store(cluster.url("nothing")).open()
    stranger = cluster.url("empty").replace("shutwatch@", "stranger@")
    with pytest.raises(StorageError, match="does not let this user in"):
        await sql_store(stranger).open()


async def test_who_may_only_read_is_told_what_is_missing(
    cluster: Cluster, database: str, store: SqlStore
) -> None:
    """A user without rights reads what it may and is told why it cannot write."""
    await store.save(cycle(1))
    cluster.execute("CREATE ROLE reader LOGIN", database)
    try:
        cluster.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database)
        reader = sql_store(cluster.url(database).replace("shutwatch@", "reader@"), create=False)
        await reader.open()
        assert len(await flat(reader.measurements(EVERYTHING))) == 4
        with pytest.raises(StorageError, match="does not allow this user what is needed"):
            await reader.save(cycle(2))
        await reader.close()
    finally:
        cluster.execute("DROP OWNED BY reader; DROP ROLE reader", database)


async def test_readers_cannot_write(store: SqlStore) -> None:
    """A connection that is there to read refuses everything else."""
    assert store._session is not None
    with (
        store._session.read.connect() as connection,
        pytest.raises(Exception, match="read-only transaction"),
    ):
        connection.exec_driver_sql("DELETE FROM cycle")


@pytest.mark.parametrize("second", Recording)
async def test_one_run_records_in_a_database(
    cluster: Cluster, database: str, second: Recording
) -> None:
    """Beside `run` nobody else records, and the message says since when it does; whoever only reads
    may. Once it has ended, or the server has ended its session, the next one may."""
    url = cluster.url(database)
    first = sql_store(url, busy_timeout=0.2, recording=Recording.ALONE)
    await first.open()
    refused = sql_store(url, busy_timeout=0.2, recording=second)
    with pytest.raises(
        InUseError, match=rf"{database} on .* \(connected since 20.* UTC\): stop it"
    ):
        await refused.open()
    reader = sql_store(url, create=False)
    await reader.open()
    await first.save(cycle(1))
    assert len(await flat(reader.measurements(EVERYTHING))) == 4
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        )
    await reader.close()
    after = sql_store(url, recording=second)
    await after.open()
    with pytest.raises(InUseError):
        await first.save(cycle(2))
    await after.close()
    await first.save(cycle(2))
    await first.close()


async def test_collectors_share_a_database_among_themselves(
    cluster: Cluster, database: str
) -> None:
    """One of them leads. `run` is refused until the last one ends."""
    url = cluster.url(database)
    both = [sql_store(url, recording=Recording.COLLECTOR) for _ in range(2)]
    alone = sql_store(url, busy_timeout=0.2, recording=Recording.ALONE)
    for store in both:
        await store.open()
    for store in both:
        with pytest.raises(InUseError, match="another shutwatch records in database"):
            await alone.open()
        await store.close()
    await alone.open()
    await alone.close()
