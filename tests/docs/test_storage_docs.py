"""docs/storage.md describes the tables there are, and its examples run."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.analysis.verdict import State
from storage.open_store import sql_store
from storage.sql.schema import metadata
from tests.contract.cycles import (
    REACHED,
    annotation,
    cycle,
    event,
    log_entry,
    measurement,
    notice,
    rejudging,
    review,
)

TEXT = (Path(__file__).parents[2] / "docs" / "storage.md").read_text(encoding="utf-8")
LATEST = {
    "latest_verdict": "verdict",
    "latest_platform": "platform_verdict",
    "latest_health": "vantage_health",
}
REJUDGED = {
    "rejudged_verdict": "verdict",
    "rejudged_platform": "platform_verdict",
    "rejudged_event": "event",
}


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A database with something in every table, for the examples to find."""
    store = sql_store(f"sqlite:///{tmp_path / 'shutwatch.db'}")
    await store.open()
    failed = measurement("m-1", cycle="c-1", observations=REACHED[:1], reached=False)
    await store.save(cycle(1, measurements=(failed,)))
    await store.save(cycle(2, state=State.BLOCKED), [event()], [log_entry(1, event())])
    await store.save(cycle(2), [event()], [log_entry(1, event())], notices=[notice(1)])
    await store.add_review(review())
    await store.add_annotations([annotation()])
    other = [replace(verdict, rule_id="tls.other") for verdict in cycle(2).verdicts]
    await store.save_rejudged(rejudging(), other)
    await store.close()
    return tmp_path / "shutwatch.db"


def _documented() -> dict[str, list[str]]:
    """Table to its columns, as the page lists them; a row may describe several."""
    sections = re.findall(r"^### (.+?)$(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return {
        table: [
            column
            for row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| [^|]{3,} \|$", body, re.MULTILINE)
            for column in re.findall(r"`(\w+)`", row)
        ]
        for title, body in sections
        for table in title.split(", ")
    }


def test_every_table_and_column_is_documented(file: Path) -> None:
    """The page has exactly the columns of the database, table by table, in order. Those that a
    later release added stand last."""
    with closing(sqlite3.connect(file)) as database:
        tables = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        stored = {
            table: [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            for table in tables
        }
    documented = _documented()
    for table, history in LATEST.items():
        columns = documented[history]
        since = columns.index("measured_at")
        first, later = columns[:since], columns[since:]
        documented[table] = first + documented[table] + later
    for table, history in REJUDGED.items():
        documented[table] = documented[table] + documented[history]
    assert documented == stored
    assert set(metadata.tables) < set(stored)


@pytest.mark.parametrize("query", re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL))
def test_every_query_runs_and_finds_something(file: Path, query: str) -> None:
    """The SQL examples work as printed, on a file opened read-only."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        assert database.execute(query).fetchall()


def test_the_python_example_reads_observations(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program on the page prints what was observed."""
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(file.parent)
    scope: dict[str, object] = {}
    exec(program, scope)  # noqa: S102 # our own page
    database = scope["database"]
    assert isinstance(database, sqlite3.Connection)
    database.close()
    assert "'layer': 'dns'" in capsys.readouterr().out


def test_the_backup_command_makes_a_whole_copy(file: Path, tmp_path: Path) -> None:
    """VACUUM INTO, as printed, copies every row while the file is in use."""
    (statement,) = re.findall(r'"(VACUUM INTO .*?)"', TEXT)
    copy = tmp_path / "elsewhere.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute(statement.replace("copy.db", str(copy)))
        count = database.execute("SELECT count(*) FROM measurement").fetchone()
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT count(*) FROM measurement").fetchone() == count
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
