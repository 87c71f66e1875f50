"""A report whose raw data come from the archive proves what one from the database proves."""

from datetime import timedelta
from pathlib import Path

from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.report.batches import BATCHES
from monitor.report.verify_batches import MEASUREMENTS
from storage.open_store import sql_store
from storage.values.archive_place import ArchivePlace
from storage.values.prunable import ARCHIVED_TABLES
from tests.collector.world import NOW
from tests.contract.listing import EVERYTHING, flat
from tests.worlds.report_batches_world import checked, files_of, hand_in, make


async def test_signed_measurements_from_the_archive(tmp_path: Path) -> None:
    """The same lines, the same signatures; `verify` accepts the file."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = sql_store(url, ArchivePlace(folder=str(tmp_path / "archive")))
    await hand_in(store)
    before = files_of(await make(store, tmp_path / "before.zip"))
    for what in ARCHIVED_TABLES:
        async for _ in store.prune(what, NOW + timedelta(days=2)):
            pass
    plain = sql_store(url)
    await plain.open()
    assert await flat(plain.measurements(EVERYTHING)) == []
    await plain.close()
    report = await make(store, tmp_path / "after.zip")
    await store.close()
    after = files_of(report)
    assert after[MEASUREMENTS] == before[MEASUREMENTS] != []
    assert after[BATCHES] == before[BATCHES] != []
    assert checked(after) == checked(before)
    assert checked(after).signed == checked(after).compared > 0
    done = CliRunner().invoke(app, ["verify", str(report)])
    assert done.exit_code == 0, done.output
