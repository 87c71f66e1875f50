"""What single migrations do with the rows that are there."""

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from msgspec.structs import replace
from sqlalchemy import create_engine, text

from monitor.analysis.verdict import State
from probes.measurement import HttpObservation, TlsObservation
from storage.open_store import sql_store
from storage.sql.migrate import MIGRATIONS
from storage.values import codecs
from storage.values.compression import unpack
from storage.values.cycle import Cycle
from storage.values.log import batch_digest, enrolment_digest, revocation_digest
from storage.values.rollup import Period
from storage.values.selection import Selection
from tests.contract.agents import batch, enrolment
from tests.contract.cycles import EVERY_OBSERVATION, REACHED, at, cycle, measurement
from tests.contract.listing import flat

TIME = "2024-02-17T12:00:00.000000Z"
EVENT = {
    "id": "event-1",
    "platform": "x",
    "state": "confirmed",
    "scope": "full",
    "evidence": "strong",
    "roles": '["web"]',
    "methods": '["tls.reset"]',
    "networks": '[{"asn":17557,"network":"PTCL","affected":true,"blocked_now":true}]',
    "onset_earliest": None,
    "confirmed_at": None,
    "end_earliest": None,
    "end_latest": None,
}
SNAPSHOT = (
    '{"id":"event-1","country":"PK","platform":"x","state":"confirmed","scope":"full",'
    '"roles":["web"],"methods":["tls.reset"],"networks":[],"onset_earliest":null,'
    f'"onset_latest":"{TIME}","detected_at":"{TIME}","updated_at":"{TIME}",'
    '"first_measurement":"m","evidence":"strong","rules_version":"1"}'
)
LINE = {"event": "event-1", "sequence": 1, "change": "opened", "snapshot": SNAPSHOT}


def at_revision(database: Path | str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = create_engine(f"sqlite:///{database}" if isinstance(database, Path) else database)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def _taken_back_to(folder: Path, file: Path, revision: str) -> None:
    """Without the tables, columns and indexes that later releases added."""
    at_revision(folder / "then.db", revision)
    names = "SELECT name, type FROM sqlite_schema WHERE sql IS NOT NULL AND type <> 'trigger'"
    with closing(sqlite3.connect(folder / "then.db")) as database:
        then = set(database.execute(names))
    with closing(sqlite3.connect(file)) as database:
        added = set(database.execute(names)) - then
        # Indexes first, for they go with their tables.
        for name, kind in sorted(added, key=lambda one: one[1]):
            database.execute(f"DROP {kind} {name}")
        for (table,) in database.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name LIKE '%verdict'"
            " OR name LIKE '%platform' OR name LIKE '%health' OR name LIKE '%event'"
            " OR name IN ('measurement', 'latest_look'))"
        ).fetchall():
            with closing(sqlite3.connect(folder / "then.db")) as before:
                kept = columns_of(before, table)
            for column in columns_of(database, table):
                was = {"function": "role", "functions": "roles"}.get(column[0])
                if was:
                    database.execute(f"ALTER TABLE {table} RENAME {column[0]} TO {was}")
                elif column not in kept:
                    database.execute(f"ALTER TABLE {table} DROP COLUMN {column[0]}")
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        database.commit()


def columns_of(database: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
    return [(row[1], row[2]) for row in database.execute(f"PRAGMA table_info({table})")]


def fill(database: sqlite3.Connection, table: str, given: dict[str, object]) -> None:
    """One row, with values of each column's kind where none is given."""
    plain = {"INTEGER": 0, "BIGINT": 17557, "FLOAT": 0.5, "BOOLEAN": 0}
    row = {}
    for name, kind in columns_of(database, table):
        made: object = plain.get(kind, "PK" if name == "country" else "")
        if name.endswith("_at") or name in ("at", "onset_latest"):
            made = TIME
        row[name] = given.get(name, made)
    marks = ", ".join("?" for _ in row)
    database.execute(f"INSERT INTO {table} VALUES ({marks})", list(row.values()))  # noqa: S608


async def test_what_is_stored_already_is_counted(tmp_path: Path) -> None:
    """A database of before there were counts gets those it would have had, looks out of turn left
    out."""
    file = tmp_path / "store.db"
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    for number in range(40):
        state = State.BLOCKED if 10 <= number < 20 else State.OK
        await store.save(cycle(number, state=state))
        await store.save(cycle(number, country="BR", vantage="gru", platforms=("x",)))
    out_of_turn = cycle(50, platforms=("x",), state=State.BLOCKED, seconds=4000)
    await store.save(msgspec.structs.replace(out_of_turn, hurried=True))
    selections = [Selection(period=period) for period in Period]
    counted = [await flat(store.availability(wanted)) for wanted in selections]
    await store.close()
    assert all(counted)
    _taken_back_to(tmp_path, file, "0007")
    at_revision(file, "0008")
    await store.open()
    assert [await flat(store.availability(wanted)) for wanted in selections] == counted
    await store.close()


def hurried_after_an_upgrade(url: str) -> dict[str, bool]:
    """Cycles of a database of before it stored which were extra ones, and what it says of them."""
    at_revision(url, "0010")
    cycles = [
        *(("BR", f"gru-{minute}", "gru", f"2024-02-17T12:{minute}", 1) for minute in (10, 50)),
        *(("PK", f"khi-{minute}", "khi", f"2024-02-17T12:{minute}", 30) for minute in (10, 50)),
        ("PK", "extra", "khi", "2024-02-17T12:30", 2),
        ("PK", "next-hour", "khi", "2024-02-17T13:10", 29),
    ]
    engine = create_engine(url)
    with engine.begin() as connection:
        for country, id_, vantage, at, platforms in cycles:
            connection.execute(
                text("INSERT INTO cycle VALUES (:country, :id, :vantage, :at, :at, :at, 9, 9, :n)"),
                {"country": country, "id": id_, "vantage": vantage, "at": at, "n": platforms},
            )
    at_revision(url, "0011")
    with engine.connect() as connection:
        found = connection.execute(text("SELECT id, hurried FROM cycle")).all()
    engine.dispose()
    assert len(found) == len(cycles)
    return {id_: bool(hurried) for id_, hurried in found}


def test_extra_cycles_are_told_by_how_little_they_measured(tmp_path: Path) -> None:
    """Fewer platforms than the vantage's cycles in turn of that hour; every cycle stays."""
    found = hurried_after_an_upgrade(f"sqlite:///{tmp_path / 'store.db'}")
    assert [id_ for id_, hurried in found.items() if hurried] == ["extra"]


def _without_what_is_shown(folder: Path, file: Path) -> None:
    """With the table of measurements as it was before."""
    _taken_back_to(folder, file, "0009")
    with closing(sqlite3.connect(folder / "then.db")) as database:
        names = ", ".join(name for name, _ in columns_of(database, "measurement"))
        made = [
            sql
            for (sql,) in database.execute(
                "SELECT sql FROM sqlite_schema WHERE tbl_name = 'measurement' AND sql IS NOT NULL "
                "ORDER BY type DESC"
            )
        ]
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("ALTER TABLE measurement RENAME TO later")
        for (index,) in database.execute(
            "SELECT name FROM sqlite_schema WHERE tbl_name = 'later' AND type = 'index' "
            "AND sql IS NOT NULL"
        ).fetchall():
            database.execute(f"DROP INDEX {index}")
        for sql in made:
            database.execute(sql)
        database.execute(f"INSERT INTO measurement ({names}) SELECT {names} FROM later")  # noqa: S608
        database.execute("DROP TABLE later")


def seen_in_many_ways(number: int = 12) -> Cycle:
    """Looks with what is shown of them, in part or in whole."""
    failed = tuple(
        msgspec.structs.replace(one, failure="connection_reset")
        if isinstance(one, TlsObservation | HttpObservation)
        else one
        for one in REACHED
    )
    seen = (REACHED, EVERY_OBSERVATION, failed, (*REACHED, *failed), REACHED[:2], ())
    looks = tuple(
        measurement(f"m-{n}", n, cycle="c-1", observations=seen[n % len(seen)], reached=n % 2 == 0)
        for n in range(number)
    )
    return cycle(1, measurements=looks)


async def test_what_is_shown_is_taken_from_what_was_observed(tmp_path: Path) -> None:
    """A database of before looks had it beside their observations gets what it would have had, and
    keeps everything else; what cannot be read is passed over."""
    file = tmp_path / "store.db"
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    await store.save(seen_in_many_ways())
    await store.close()

    def everything(database: sqlite3.Connection) -> list[tuple[object, ...]]:
        return database.execute("SELECT * FROM measurement ORDER BY id").fetchall()

    with closing(sqlite3.connect(file)) as database, database:
        # As they were packed then.
        database.create_function("as_of_then", 1, lambda packed: zlib.compress(unpack(packed)))
        database.execute("UPDATE measurement SET observations = as_of_then(observations)")
        before = everything(database)
        columns = [name for name, _ in columns_of(database, "measurement")]
        spoilt = columns.index("observations")
        database.execute("UPDATE measurement SET observations = x'00' WHERE id = 'm-3'")
    _without_what_is_shown(tmp_path, file)
    at_revision(file, "0010")
    with closing(sqlite3.connect(file)) as database:
        assert [name for name, _ in columns_of(database, "measurement")] == [
            {"function": "role"}.get(name, name) for name in columns
        ]
        after = everything(database)
    for old, new in zip(before, after, strict=True):
        if old[columns.index("id")] == "m-3":
            assert new[spoilt] == b"\x00"
            shown = [columns.index(name) for name in ("resolvers", "http_url", "http_title")]
            assert [new[place] for place in shown] == ["", None, None]
        else:
            assert new == old


async def test_what_agents_sent_before_there_was_a_log_is_added_to_it(tmp_path: Path) -> None:
    """Each signed batch, key and revocation, by the digest that it would have got."""
    file = tmp_path / "old.db"
    at_revision(file, "0014")
    key = replace(enrolment(1), revoked_at=at(60), reason="stolen")
    signed, unsigned = batch(1), replace(batch(2), fingerprint="", signature="", body=b"")
    with closing(sqlite3.connect(file)) as database, database:
        rows = [
            ("enrolment", codecs.ENROLMENT.names, codecs.ENROLMENT.encode(key)),
            *(
                ("batch", codecs.BATCH.names, codecs.BATCH.encode(one))
                for one in (signed, unsigned)
            ),
        ]
        for table, names, cells in rows:
            marks = ", ".join("?" * len(names))
            statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608
            database.execute(statement, cells)
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    head = await store.append_to_log()
    wanted = [
        batch_digest(signed),
        enrolment_digest(key),
        revocation_digest(key.fingerprint, at(60)),
    ]
    assert head.size == len(wanted)
    assert set(await store.log_places(wanted, head.size)) == set(wanted)
    await store.close()


def test_no_old_log_names_the_vantages_of_a_shutdown(tmp_path: Path) -> None:
    """Their details are emptied, those of blocks stay, and the log is append-only again."""
    file = tmp_path / "store.db"
    at_revision(file, "0012")
    with closing(sqlite3.connect(file)) as database, database:
        for kind in ("shutdown", "international_cut", "instrument", "vantage_silent", "block"):
            fill(database, "event", {**EVENT, "id": kind, "kind": kind})
            fill(database, "event_log", {**LINE, "event": kind, "detail": "khi-ptcl"})
    at_revision(file, "0013")
    with closing(sqlite3.connect(file)) as database:
        found = dict(database.execute("SELECT event, detail FROM event_log"))
        assert found.pop("block") == "khi-ptcl"
        assert set(found.values()) == {""}
        for change in ("UPDATE event_log SET detail = ''", "DELETE FROM event_log"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                database.execute(change)
