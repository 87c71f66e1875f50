"""`db copy`, `check` and `upgrade` with PostgreSQL: everything arrives, once, or is refused."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from storage.open_store import sql_store
from storage.postgresql.backend import PostgresqlBackend
from storage.postgresql.partitions import months_ahead
from storage.sql.schema import metadata
from storage.sql.store import SqlStore
from storage.sqlite import copying
from storage.sqlite.backup import BackupError
from storage.sqlite.copying import copy
from storage.values.acts import Acknowledgement, Act, ActKind, Mute
from storage.values.log import HeadStamp
from storage.values.sourced import SourcedEvent, SourceState
from storage.values.verified_before import VerifiedBefore
from tests.contract import agents
from tests.contract.cycles import (
    EVERY_OBSERVATION,
    annotation,
    at,
    cycle,
    event,
    log_entry,
    measurement,
    notice,
    rejudging,
    review,
    withheld,
)
from tests.contract.listing import contents
from tests.contract.test_store_checkpoints import X
from tests.contract.test_store_sources import row
from tests.worlds.postgresql import Cluster

pytestmark = pytest.mark.postgres


def into(cluster: Cluster, database: str) -> PostgresqlBackend:
    """Where a copy goes."""
    return PostgresqlBackend(cluster.url(database))


async def _fill(store: SqlStore, cycles: int) -> None:
    await store.open()
    for number in range(cycles):
        await store.save(cycle(number, endpoints=5))
    odd = measurement("m-odd", 1, observations=EVERY_OBSERVATION)
    await store.save(
        cycle(cycles, measurements=(odd,)),
        [event()],
        [log_entry(1, event())],
        [X],
        [notice(1)],
    )
    await store.keep_checkpoints([X], at(0))
    await store.keep_target_key(b"key", {})
    await store.keep_verified(
        VerifiedBefore(vantage="khi-1", country="PK", asn=0, addresses={"x.com": ("192.0.2.1",)})
    )
    await store.add_review(review())
    await store.add_annotations([annotation()])
    await store.save_rejudged(rejudging(), cycle(1).verdicts, cycle(1).platforms, [event()])
    await store.enrol(agents.enrolment())
    await store.invite(agents.invitation(vantage="lhe-1"))
    await store.quarantine(agents.quarantine())
    act = Act(id="act-1", at=at(0), who="asma", what=ActKind.MUTE, target="country PK")
    await store.mute(Mute(country="PK", event="", until=at(60), at=at(0)), act)
    await store.acknowledge(Acknowledgement(finding="no_asn", at=at(0)))
    await store.receive(agents.batch(1), [agents.seen(cycle(5000))])
    head = await store.append_to_log()
    stamp = HeadStamp(
        size=head.size, root=head.root, kind="report", authority="ab" * 32, at=at(1), proof=b"\0"
    )
    await store.add_head_stamp(stamp)
    await store.receive(agents.batch(2), [])
    await store.add_sourced([row(0)], "ooni", SourceState(units=9))
    seen = event()
    sourced = SourcedEvent(
        country=seen.country,
        source="ooni",
        id=seen.id,
        platform=seen.platform,
        active=seen.active,
        first_seen_at=at(0),
        event=seen,
    )
    await store.save_sourced_events([sourced])
    await store.save_withheld([withheld()])
    await store.close()


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> Path:
    """A copy of an SQLite file with something in every table."""
    return Path(shutil.copy(filled, tmp_path))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It, which is closed and never changed."""
    file = tmp_path_factory.mktemp("filled") / "shutwatch.db"
    asyncio.run(_fill(sql_store(f"sqlite:///{file}"), 30))
    with closing(sqlite3.connect(file)) as database:
        # Noted where rows move to an archive, which this database has not.
        database.execute("INSERT INTO archive_use VALUES ('2024-02-17T12:00:00.000000Z')")
        database.commit()
        for table in metadata.tables:
            assert database.execute(f"SELECT 1 FROM {table}").fetchone(), table  # noqa: S608
    return file


@pytest.fixture
def target(cluster: Cluster) -> Iterator[str]:
    """The name of a database with nothing in it."""
    name = cluster.new_database()
    yield name
    cluster.drop_database(name)


def _rows(url: str) -> dict[str, list[str]]:
    """Everything in a database, table by table, whatever the order."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        found = {
            name: sorted(repr(tuple(row)) for row in connection.execute(table.select()))
            for name, table in metadata.tables.items()
        }
    engine.dispose()
    return found


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["db", *arguments])


def test_everything_arrives(source: Path, cluster: Cluster, target: str) -> None:
    """Every row of every table, to the last character and byte; a second time changes nothing."""
    before = _rows(f"sqlite:///{source}")
    for _ in range(2):
        done = _run("copy", str(source), cluster.url(target))
        assert done.exit_code == 0, done.output
        assert _rows(cluster.url(target)) == before
    rows = sum(map(len, before.values()))
    assert f"all {rows:,} rows of {source} are there, counted" in done.stdout
    assert "and 1 event\n" in done.stdout


async def test_the_copy_goes_on_as_the_file_would(
    source: Path, cluster: Cluster, target: str
) -> None:
    """Opened as a store, it gives what the file gives, and takes what comes next."""
    copy(str(source), into(cluster, target))
    old, new = sql_store(f"sqlite:///{source}"), sql_store(cluster.url(target))
    for store in (old, new):
        await store.open()
        changed = event(updated=9000)
        await store.save(cycle(100), [changed], [log_entry(2, changed)])
    assert await contents(new, "event-1") == await contents(old, "event-1")
    for store in (old, new):
        await store.close()


@pytest.mark.parametrize("after", [1, 40, 100])
def test_an_interrupted_copy_goes_on(
    source: Path, cluster: Cluster, target: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off in the middle of a table, it starts behind the last row that is there; what
    changed in the file meanwhile is written over."""
    monkeypatch.setattr(copying, "_ROWS", 7)
    told = []

    def break_off(table: str, rows: int, of: int) -> None:
        told.append((table, rows, of))
        if len(told) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(str(source), into(cluster, target), break_off)
    partly = _rows(cluster.url(target))
    before = _rows(f"sqlite:///{source}")
    assert 0 < sum(map(len, partly.values())) < sum(map(len, before.values()))
    asyncio.run(_save_one_more(source))
    whole = _rows(f"sqlite:///{source}")
    first = len(told)
    copy(str(source), into(cluster, target), lambda *now: told.append(now))
    assert _rows(cluster.url(target)) == whole
    done = [rows for _, rows, _ in told[first:]]
    assert done[-1] == told[-1][2] == sum(map(len, whole.values()))


async def _save_one_more(source: Path) -> None:
    store = sql_store(f"sqlite:///{source}")
    await store.open()
    await store.save(cycle(200))
    await store.close()


async def test_a_database_that_holds_something_else_is_refused(
    source: Path, cluster: Cluster, target: str, tmp_path: Path
) -> None:
    """Also another file's copy, also one that was used since; and nothing in it is changed."""
    store = sql_store(cluster.url(target))
    await store.open()
    await store.add_annotations([annotation()])
    before = _rows(cluster.url(target))
    with pytest.raises(BackupError, match=r"holds something else already \(table annotation\)"):
        copy(str(source), into(cluster, target))
    assert _rows(cluster.url(target)) == before
    await store.remove_annotations([annotation().id])
    copy(str(source), into(cluster, target))
    other = tmp_path / "other.db"
    empty = sql_store(f"sqlite:///{other}")
    await empty.open()
    await empty.close()
    with pytest.raises(BackupError, match="holds something else already"):
        copy(str(other), into(cluster, target))
    await store.save(cycle(10**5))
    before = _rows(cluster.url(target))
    with pytest.raises(BackupError, match="it was used since it was copied"):
        copy(str(source), into(cluster, target))
    assert _rows(cluster.url(target)) == before
    await store.close()


def test_what_cannot_be_copied_is_said_and_the_password_is_not(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file, no server, no URL: exit code 1 or 2, and why."""
    monkeypatch.setenv("PASSWORD", "s3cret")
    url = "postgresql://shutwatch:${PASSWORD}@127.0.0.1:1/db"
    cases = [
        ((str(source), url), 1, "db on 127.0.0.1 cannot be reached"),
        ((str(tmp_path / "no.db"), url), 2, "there is no file"),
        ((str(source), f"sqlite:///{source}"), 2, "URL of a PostgreSQL database"),
        ((str(source), "postgresql://${NO_SUCH}@h/db"), 2, "set the environment variable NO_SUCH"),
    ]
    for arguments, code, says in cases:
        done = _run("copy", *arguments)
        assert (done.exit_code, says in done.stderr) == (code, True), done.output
        assert "s3cret" not in done.output


def _config(folder: Path, url: str) -> Path:
    file = folder / "shutwatch.toml"
    file.write_text(f'database = "{url}"\n[[vantage]]\nid = "here"\ncountry = "PK"\n')
    return file


def test_upgrade_makes_the_tables_and_check_holds(
    cluster: Cluster, target: str, tmp_path: Path
) -> None:
    """Before, there is no database of shutwatch; afterwards it holds, and its name is shown without
    the user's."""
    config = str(_config(tmp_path, cluster.url(target)))
    before = _run("check", "--config", config)
    assert before.exit_code == 3
    assert "it is no database of shutwatch" in before.stderr
    assert _run("upgrade", "--config", config).exit_code == 0
    after = _run("check", "--config", config)
    assert (after.exit_code, after.stdout) == (0, f"postgresql:///{target}: OK\n")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "ALTER TABLE event_log DISABLE TRIGGER event_log_refuses_update",
            "no longer refuses UPDATE",
        ),
        ("DROP TRIGGER review_refuses_delete ON review", "review no longer refuses DELETE"),
        ("UPDATE alembic_version SET version_num = '0003'", "its tables are of version 0003"),
        (
            "SET session_replication_role = replica; DELETE FROM event_log WHERE sequence = 1",
            "the log of event event-1 has a gap",
        ),
        (f"DROP TABLE verdict_{months_ahead()[0].replace('-', '_')}", "no partition verdict_"),
    ],
)
def test_what_does_not_hold_is_named(
    cluster: Cluster, database: str, tmp_path: Path, damage: str, says: str
) -> None:
    """Exit code 3, and what is wrong."""
    asyncio.run(_with_log(cluster.url(database)))
    cluster.execute(damage, database)
    done = _run("check", "--config", str(_config(tmp_path, cluster.url(database))))
    assert (done.exit_code, says in done.stderr) == (3, True), done.output


async def _with_log(url: str) -> None:
    store = sql_store(url)
    await store.open()
    await store.save(cycle(1), [event()], [log_entry(1, event()), log_entry(2, event())])
    await store.close()


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_copies_are_left_to_its_own_tools(
    cluster: Cluster, database: str, tmp_path: Path, command: str
) -> None:
    """With exit code 2, and their names."""
    config = _config(tmp_path, cluster.url(database))
    done = _run(command, str(tmp_path / "copy"), "--config", str(config))
    assert done.exit_code == 2
    assert "use pg_dump and pg_restore" in done.stderr
    assert not (tmp_path / "copy").exists()
