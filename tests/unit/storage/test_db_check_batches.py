"""`shutwatch db check`: every batch of agents is still what its vantage signed."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.wire.proof import fault_of
from storage.open_store import open_store
from storage.sqlite.backup import check
from storage.values.log import HeadStamp
from tests.contract.cycles import at, cycle
from tests.worlds.report_batches_world import hand_in


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with two batches of `khi-ptcl`, and a cycle of nobody who signs."""
    path = tmp_path / "shutwatch.db"

    async def fill() -> None:
        store = open_store(f"sqlite:///{path}")
        await hand_in(store)
        await store.save(cycle(0))
        await store.close()

    asyncio.run(fill())
    return path


def _changed(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        assert database.execute(statement).rowcount >= 1


def _run(file: Path) -> Result:
    return CliRunner().invoke(app, ["db", "check", str(file)])


def test_untouched_batches_hold(file: Path) -> None:
    """Exit code 0."""
    done = _run(file)
    assert (done.exit_code, ": OK" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE batch SET body = cast(x'00' || substr(body, 2) AS blob)", "SHA-256"),
        ("UPDATE batch SET body = x'', body_sha256 = lower('E3B0C442')", "SHA-256"),
        ("UPDATE batch SET body = substr(body, 2)", "SHA-256"),
        ("UPDATE batch SET body = 'text'", "cannot be read"),
        ("UPDATE batch SET sent_at = '2026-03-01T12:00:01.000000Z'", "signature does not fit"),
        ("UPDATE batch SET signature = 'é'", "signature does not fit"),
        ("UPDATE batch SET vantage = cast(x'ff00' AS text)", "another vantage"),
        ("UPDATE batch SET fingerprint = ''", "a body without a signature"),
        ("UPDATE batch SET received_at = 'once'", "cannot be read"),
        ("DELETE FROM enrolment WHERE vantage = 'khi-ptcl'", "was never enrolled"),
        ("UPDATE enrolment SET key = 'AAAA' WHERE vantage = 'khi-ptcl'", "was never enrolled"),
        ("UPDATE enrolment SET enrolled_at = 'once'", "cannot be read"),
    ],
)
def test_a_changed_batch_or_key_is_named(file: Path, statement: str, why: str) -> None:
    """Exit code 3, with the batch, its vantage and the reason, on printable lines."""
    with closing(sqlite3.connect(file)) as database:
        ids = [one for (one,) in database.execute("SELECT id FROM batch WHERE signature <> ''")]
    _changed(file, f"{statement}{'' if 'WHERE' in statement else ' WHERE true'}")
    done = _run(file)
    assert done.exit_code == 3, done.output
    assert why in done.stderr
    assert all(one in done.stderr for one in ids)
    assert "vantage" in done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines())


def test_at_most_twenty_are_told(file: Path) -> None:
    """A database in which nothing holds any more fills no screen; below is what to do."""
    _changed(
        file,
        "INSERT INTO batch (country, vantage, id, fingerprint, sent_at, encoding, signature, "
        "body_sha256, received_at, body) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
        "SELECT country, vantage, 'copy-' || i || id, fingerprint, sent_at, encoding, signature, "
        "body_sha256, received_at, body FROM batch, n WHERE signature <> ''",
    )
    assert len(_run(file).stderr.splitlines()) == 20 + 1


def test_a_copy_from_before_there_were_agents_holds(file: Path) -> None:
    """It has no such tables, and nothing that could be wrong with them."""
    with closing(sqlite3.connect(file)) as database, database:
        for table in ("batch_cycle", "batch", "enrolment"):
            database.execute(f"DROP TABLE {table}")
    assert check(str(file), fault_of) == []


def _logged(file: Path) -> None:
    """Adds what waits to the log, and lets it be changed: what a thief of the file can do."""

    async def append() -> None:
        store = open_store(f"sqlite:///{file}")
        await store.open()
        assert (await store.append_to_log()).size >= 3
        await store.close()

    asyncio.run(append())
    with closing(sqlite3.connect(file)) as database:
        for verb in ("update", "delete"):
            database.execute(f"DROP TRIGGER IF EXISTS log_entry_refuses_{verb}")


@pytest.mark.parametrize("logged", [False, True])
@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE batch SET received_at = '2020-03-01T12:00:01.000000Z'", "batch "),
        ("UPDATE enrolment SET enrolled_at = '2020-03-01T12:00:01.000000Z'", "a key of vantage "),
        ("UPDATE enrolment SET asn = 64500", "a key of vantage "),
        ("UPDATE enrolment SET revoked_at = '2020-03-01T12:00:01.000000Z'", "a key of vantage "),
    ],
)
def test_what_no_signature_covers_is_compared_with_the_log(
    file: Path, statement: str, what: str, logged: bool
) -> None:
    """When a batch came, and for what and since when a key was enrolled: the log has it from the
    moment it is stored."""
    if logged:
        _logged(file)
    _changed(file, statement)
    done = _run(file)
    assert done.exit_code == 3, done.output
    assert what in done.stderr
    assert "not what the append-only log has" in done.stderr


def _given_away(file: Path) -> int:
    """The size of the log, whose head is in a report from now on."""

    async def give() -> int:
        store = open_store(f"sqlite:///{file}")
        await store.open()
        head = await store.append_to_log()
        stamp = HeadStamp(size=head.size, root=head.root, kind="report", authority="ab", at=at(0))
        await store.add_head_stamp(stamp)
        await store.close()
        return head.size

    return asyncio.run(give())


def test_the_head_of_an_empty_log_is_no_problem(tmp_path: Path) -> None:
    """A report made before any agent was there has it."""
    file = tmp_path / "empty.db"
    assert _given_away(file) == 0
    assert _run(file).exit_code == 0


def test_a_log_that_lost_its_end_is_named(file: Path) -> None:
    """What is left of it is consistent; only the head that others have is not."""
    _logged(file)
    size = _given_away(file)
    assert _run(file).exit_code == 0
    _changed(file, "DELETE FROM log_entry WHERE position = (SELECT max(position) FROM log_entry)")
    done = _run(file)
    assert done.exit_code == 3, done.output
    assert f"log has {size - 1} entries, and its head of {size} was given away" in done.stderr


def test_a_log_made_anew_is_named(file: Path) -> None:
    """Whoever leaves an entry out can compute all hashes again, of a log that is as long."""
    _logged(file)
    size = _given_away(file)
    with closing(sqlite3.connect(file)) as database, database:
        kept = database.execute("SELECT digest FROM log_entry WHERE position > 0").fetchall()
        database.execute("DELETE FROM log_entry")
        database.executemany("INSERT INTO log_waiting VALUES (?)", [*kept, ("ab" * 32,)])
    _logged(file)
    done = _run(file)
    assert done.exit_code == 3, done.output
    assert f"rewritten since its head of {size} entries was given away" in done.stderr


@pytest.mark.parametrize("verb", ["UPDATE log_entry SET digest = digest", "DELETE FROM log_entry"])
def test_the_database_refuses_to_change_the_log(file: Path, verb: str) -> None:
    """Also to somebody in an SQL shell."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("INSERT INTO log_entry VALUES (0, 'a', '')")
        with pytest.raises(sqlite3.IntegrityError, match="log_entry is append-only"):
            database.execute(verb)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM log_entry WHERE position = 1", "entry 1 of the append-only log is missing"),
        ("UPDATE log_entry SET digest = replace(digest, 'a', 'b')", "log was changed"),
        ("UPDATE log_entry SET nodes = '' WHERE position = 1", "entry 1 of the append-only log"),
        ("UPDATE log_entry SET nodes = nodes || nodes", "log was changed"),
        ("UPDATE log_entry SET digest = 'x' WHERE position = 0", "entry 0 of the append-only log"),
    ],
)
def test_a_changed_log_is_named(file: Path, statement: str, why: str) -> None:
    """By its first entry that does not follow from those before."""
    _logged(file)
    assert _run(file).exit_code == 0
    _changed(file, statement)
    done = _run(file)
    assert done.exit_code == 3, done.output
    assert why in done.stderr
