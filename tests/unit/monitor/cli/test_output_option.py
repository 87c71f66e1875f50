"""`--output` on what is no file: bytes go where the name leads, and the name stays what it is."""

import asyncio
import os
import stat
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app
from storage.open_store import open_store
from tests.contract.cycles import cycle
from tests.unit.monitor.cli.test_no_traceback import OFFLINE


@pytest.mark.parametrize("what", ["csv measurements", "parquet verdicts", "ooni", "dictionary"])
def test_a_fifo_gets_what_a_file_gets(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `-o >(gzip > out.gz)`: its reader gets every byte and then the end, and it stays."""
    _installed(tmp_path, monkeypatch)

    def export(output: str) -> None:
        done = CliRunner().invoke(app, ["export", *what.split(), "-o", output])
        assert done.exit_code == 0, done.stderr

    export("file")
    os.mkfifo("fifo")
    before = set(tmp_path.iterdir())
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("fifo").read_bytes()), daemon=True)
    reader.start()
    export("fifo")
    reader.join(10)
    assert got == [Path("file").read_bytes()]
    assert got[0]
    assert stat.S_ISFIFO(Path("fifo").lstat().st_mode)
    assert set(tmp_path.iterdir()) == before


REPORT = "report --country PK --platform x --since 2024-02-17"
COMMANDS = ["csv events", "parquet events", "xlsx events", "ooni", "stop"]


@pytest.mark.parametrize("command", [REPORT, *(f"export {one}" for one in COMMANDS)])
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("watch.db", "the database itself"),
        ("linked", "the database itself"),
        ("hard", "the database itself"),
        ("watch.db-wal", "part of the database itself"),
        ("offline.toml", "the configuration itself"),
        ("shutwatch-signing.pem", "a key itself"),
        ("shutwatch-orders.pem", "a key itself"),
        ("copy.db", "a database"),
    ],
)
def test_no_file_that_the_installation_lives_from_is_replaced(
    command: str, name: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever name, and also where a key is still to be made."""
    _installed(tmp_path, monkeypatch)
    Path("linked").symlink_to("watch.db")
    Path("hard").hardlink_to("watch.db")
    Path("copy.db").write_bytes(Path("watch.db").read_bytes())
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    done = CliRunner().invoke(app, [*command.split(), "-o", name])
    assert done.exit_code == 2
    assert f"{name} is {what}: name another file" in done.stderr
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_dictionary_replaces_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no configuration, and knows a database by its content. Other files are replaced."""
    _installed(tmp_path, monkeypatch)
    before = Path("watch.db").read_bytes()
    done = CliRunner().invoke(app, ["export", "dictionary", "-o", "watch.db"])
    assert (done.exit_code, Path("watch.db").read_bytes() == before) == (2, True)
    Path("old.csv").write_text("old")
    done = CliRunner().invoke(app, ["export", "dictionary", "-o", "old.csv"])
    assert (done.exit_code, Path("old.csv").read_text() != "old") == (0, True)


def _installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database and its configuration, in the current folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SHUTWATCH_CONFIG", "offline.toml")
    (folder / "offline.toml").write_text(OFFLINE.format(folder=folder, port=10199))

    async def make() -> None:
        store = open_store(f"sqlite:///{folder}/watch.db")
        await store.open()
        await store.save(cycle(1))
        await store.close()

    asyncio.run(make())
