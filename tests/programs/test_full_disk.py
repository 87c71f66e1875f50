"""Stores on a disk that is really full: nothing half stored, and they go on once there is room."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.namespaces import with_own_mounts

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.lab

FULL_DISK = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from storage.agent.spool import Spool, read_spool
from storage.store import StorageError
from tests.unit.storage.test_spool import batch

async def main(folder):
    spool = Spool(folder / "spool.db", limit=10**8)
    await spool.open()
    for number in range(5):
        await spool.put(batch(number, size=10_000))
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            pass
    lost = 0
    for number in range(100, 300):
        try:
            await spool.put(batch(number, size=10_000))
        except StorageError:
            lost += 1
    assert lost > 100, lost
    full = await spool.holding()
    assert full.dropped == 10 * lost
    assert full.measurements == 10 * (205 - lost)
    (folder / "ballast").unlink()
    await spool.put(batch(1000))
    after = await spool.holding()
    assert after.dropped == 10 * lost
    assert after.measurements == full.measurements + 10
    assert (await spool.next()).id == "batch 0"
    await spool.close()
    assert read_spool(folder / "spool.db")[0].dropped == 10 * lost

asyncio.run(main(Path(sys.argv[1])))
print("as it should be")
"""


def test_a_full_disk_costs_what_it_does_not_take_and_is_over_when_there_is_room(
    tmp_path: Path,
) -> None:
    """On a real file system of two megabytes, filled up: what was put before is whole, what was
    refused is counted though nothing could be written, and after that all is as before."""
    script = tmp_path / "full.py"
    script.write_text(FULL_DISK)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        f"mount -t tmpfs -o size=2m none {disk} && exec {sys.executable} {script} {disk} {ROOT}"
    )
    done = subprocess.run(
        with_own_mounts(["sh", "-c", mounted]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "as it should be\n", done.stderr


DISK_FULL = """
import asyncio, sys
from storage.open_store import sql_store
from storage.sql.store import SqlStore
from storage.store import StorageError
from tests.contract.cycles import cycle
from tests.contract.listing import EVERYTHING, flat

async def main(folder):
    store = sql_store(f"sqlite:///{folder}/store.db")
    await store.open()
    stored = 0
    try:
        while True:
            await store.save(cycle(stored, endpoints=50))
            stored += 1
    except StorageError as error:
        print(error)
    complete = len({look.cycle for look in await flat(store.measurements(EVERYTHING))})
    print("stored", stored, "found", complete)
    open(f"{folder}/ballast", "w").close()
    await store.save(cycle(stored, endpoints=50))
    print("again", len(await flat(store.measurements(EVERYTHING))) == (stored + 1) * 100)
    await store.close()

asyncio.run(main(sys.argv[1]))
"""


FILL = """
mount -t tmpfs -o size=4m none "$1"
head -c 2000000 /dev/zero >"$1/ballast"
exec "$2" "$3" "$1"
"""


def test_a_full_disk_loses_only_what_did_not_fit(tmp_path: Path) -> None:
    """On a real full disk: an error that says so, nothing half stored, and on with it later."""
    script = tmp_path / "fill.py"
    script.write_text(DISK_FULL)
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        with_own_mounts(["sh", "-ec", FILL, "sh", str(disk), sys.executable, str(script)]),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    error, counts, again = done.stdout.splitlines()
    assert "cannot grow, the disk is full: free some space" in error
    stored, found = counts.split()[1::2]
    assert int(stored) == int(found) > 0
    assert again == "again True"
