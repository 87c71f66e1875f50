"""`shutwatch db archive`, and every other command that reads what it moved."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from storage.open_store import sql_store
from tests.contract.cycles import cycle


class Installation:
    """A configuration with an archive, and a database of three days."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "shutwatch.toml"
        self.url = f"sqlite:///{folder / 'shutwatch.db'}"
        self.config.write_text(
            f'database = "{self.url}"\n[archive]\nfolder = "old"\n'
            '[[vantage]]\nid = "khi-ptcl"\ncountry = "PK"\nasn = 17557\n'
        )

    async def fill(self) -> None:
        """A cycle every two hours."""
        store = sql_store(self.url)
        await store.open()
        for number in range(36):
            await store.save(cycle(number, seconds=number * 7200.0))
        await store.close()

    def run(self, *arguments: str) -> Result:
        """One command."""
        return CliRunner().invoke(app, [*arguments, "--config", str(self.config)])


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """An installation with data older than it keeps."""
    made = Installation(tmp_path)
    asyncio.run(made.fill())
    return made


def test_files_are_the_same_before_and_after(here: Installation) -> None:
    """CSV of every kind, byte for byte; the command says what it moved."""
    kinds = ("measurements", "verdicts", "availability")
    more = ("--since", "2024-02-17T13:00", "--until", "2024-02-19T01:30")

    def exported() -> list[str]:
        found = []
        for kind in kinds:
            for options in ((), more, ("--country", "PK", "--platform", "x")):
                out = here.folder / "out.csv"
                done = here.run("export", "csv", kind, "--output", str(out), *options)
                assert done.exit_code == 0, done.output
                found.append(out.read_text())
        return found

    before = exported()
    assert before[0].count("\n") > 100
    moved = here.run("db", "archive")
    assert moved.exit_code == 0, moved.output
    assert "measurement 144" in moved.output
    assert exported() == before
    again = here.run("db", "archive")
    assert "nothing was old enough" in again.output


def test_only_what_is_older_moves(here: Installation) -> None:
    """`--older-than` in days; anything else is bad usage."""
    assert "nothing was old enough" in here.run("db", "archive", "--older-than", "9000d").output
    wrong = here.run("db", "archive", "--older-than", "a month")
    assert wrong.exit_code == 2
    assert "a number of days" in wrong.output


def test_a_changed_file_is_found(here: Installation) -> None:
    """`db check` names it and exits with 3."""
    assert here.run("db", "archive").exit_code == 0
    fine = here.run("db", "check")
    assert (fine.exit_code, "OK" in fine.output) == (0, True), fine.output
    file = next(here.folder.glob("old/measurement/*/*/*.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    found = here.run("db", "check")
    assert found.exit_code == 3
    assert f"{file.name} of the archive was changed" in found.output
    file.unlink()
    gone = here.run("db", "check")
    assert gone.exit_code == 3
    assert "cannot be read" in gone.output


def test_an_archive_that_is_gone_is_found(here: Installation) -> None:
    """As when its disk is not mounted: `db check` found nothing wrong with no file at all."""
    assert here.run("db", "check").exit_code == 0
    assert here.run("db", "archive").exit_code == 0
    (here.folder / "old").rename(here.folder / "unmounted")
    gone = here.run("db", "check")
    assert gone.exit_code == 1
    assert "nothing is there of what was moved to it" in gone.output
    exported = here.run("export", "csv", "measurements", "--output", str(here.folder / "out.csv"))
    assert exported.exit_code == 1


def test_without_an_archive_it_says_so(here: Installation) -> None:
    """Bad usage, and nothing is deleted."""
    text = here.config.read_text().replace('folder = "old"\n', "")
    here.config.write_text(text)
    found = here.run("db", "archive")
    assert found.exit_code == 2
    assert "set [archive]" in found.output
