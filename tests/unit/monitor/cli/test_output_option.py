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
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHUTWATCH_CONFIG", "offline.toml")
    (tmp_path / "offline.toml").write_text(OFFLINE.format(folder=tmp_path, port=10199))

    async def make() -> None:
        store = open_store(f"sqlite:///{tmp_path}/watch.db")
        await store.open()
        await store.save(cycle(1))
        await store.close()

    def export(output: str) -> None:
        done = CliRunner().invoke(app, ["export", *what.split(), "-o", output])
        assert done.exit_code == 0, done.stderr

    asyncio.run(make())
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
