"""The lines of docs/csv.md that compute a share are run as they stand, on an exported file."""

import asyncio
import re
import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from monitor.analysis.verdict import State
from monitor.cli.main import app
from storage.open_store import open_store
from storage.values.cycle import Cycle
from tests.contract.cycles import START, cycle

TEXT = (Path(__file__).parents[2] / "docs" / "csv.md").read_text(encoding="utf-8")
SECTION = TEXT.partition("### How long was it unreachable?")[2].partition("\n### ")[0]
FEBRUARY = datetime.fromisoformat("2024-02-01T00:30+05:00")
"""Half an hour after midnight in Karachi, and still January in UTC."""


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    return str(found)


def judged(number: int, at: datetime, state: State, network: str = "PTCL") -> Cycle:
    """A cycle of one verdict on X."""
    seconds = (at - START).total_seconds()
    made = cycle(number, platforms=("x",), endpoints=1, seconds=seconds)
    verdicts = (replace(made.platforms[0], state=state, network=network, judged_at=at),)
    return replace(made, platforms=verdicts)


def february(states: Iterable[State]) -> Iterable[Cycle]:
    """Cycles an hour apart on PTCL, and what must not be counted: another network, and the hours
    before and after February in Karachi."""
    hour = timedelta(hours=1)
    for number, state in enumerate(states):
        yield judged(number, FEBRUARY + number * hour, state)
        yield judged(1000 + number, FEBRUARY + number * hour, State.OK, "Jazz")
    yield judged(2000, FEBRUARY - hour, State.OK)
    yield judged(2001, FEBRUARY + timedelta(days=29), State.OK)


def exported(folder: Path, cycles: Iterable[Cycle]) -> None:
    """The file that the document's command makes of these cycles."""

    async def fill() -> None:
        store = open_store(f"sqlite:///{folder / 'shutwatch.db'}", create=True)
        await store.open()
        for one in cycles:
            await store.save(one)
        await store.close()

    asyncio.run(fill())
    config = folder / "shutwatch.toml"
    config.write_text(
        f'database = "sqlite:///{folder / "shutwatch.db"}"\n'
        '[[vantage]]\nid = "khi-ptcl"\ncountry = "PK"\nasn = 17557\nnetwork = "PTCL"\n'
    )
    _, *command = shlex.split(block("sh").replace("\\\n", ""))
    done = CliRunner().invoke(app, [*command, "-c", str(config)])
    assert done.exit_code == 0, done.output


def in_duckdb() -> list[tuple[object, ...]]:
    """What the document's query gives."""
    with duckdb.connect() as connection:
        return connection.execute(block("sql")).fetchall()


def test_x_was_unreachable_83_percent_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """83 of 100 decided verdicts: undecided ones change no share, and are shown beside it."""
    monkeypatch.chdir(tmp_path)
    states = [State.BLOCKED] * 70 + [State.THROTTLED] * 10 + [State.DOWN] * 3
    states += [State.OK] * 12 + [State.DEGRADED] * 5 + [State.INSUFFICIENT] * 20
    exported(tmp_path, february(states))
    lines = block("python")
    for shown in (lines, block("sql")):
        assert len([line for line in shown.splitlines() if line]) == 5
    exec(compile(lines, "docs/csv.md", "exec"), {})  # noqa: S102 # the document's own lines
    assert capsys.readouterr().out.splitlines() == [
        "X was unreachable 83% of the time on PTCL in February.",
        "Decided: 100; undecided: 20; hours measured: 120 of 696.",
    ]
    assert in_duckdb() == [(83.0, 100, 20, 120, 696)]


@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_where_nothing_was_decided_there_is_no_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither 0 % nor 100 %."""
    monkeypatch.chdir(tmp_path)
    exported(tmp_path, february([State.INSUFFICIENT] * 4))
    exec(compile(block("python"), "docs/csv.md", "exec"), {})  # noqa: S102 # as above
    said, _ = capsys.readouterr().out.splitlines()
    assert "unreachable nan% of the time" in said
    assert in_duckdb() == [(None, 0, 4, 4, 696)]
