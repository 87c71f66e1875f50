"""Attack: another user of the machine reads what the monitor or an agent keeps."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.logs import LogSettings, configure, logger
from storage.agent.spool import Spool
from storage.archive.folder_place import FolderPlace
from storage.open_store import open_store
from storage.sqlite.backend import ARCHIVING, RECORDING, SqliteBackend
from storage.store import Recording, StorageError
from storage.values.private_file import write_private


@pytest.fixture(params=[0o022, 0o000], ids=["usual", "none"], autouse=True)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Each file's, by its name."""
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def owners(folder: Path) -> dict[str, tuple[int, int]]:
    """User and group of all that is in it, by name."""
    return {one.name: (one.stat().st_uid, one.stat().st_gid) for one in folder.rglob("*")}


def open_to_all(folder: Path) -> None:
    """As an earlier version left its files."""
    for file in folder.iterdir():
        file.chmod(0o644)


def private(folder: Path) -> bool:
    """Whether there are files, all of them the owner's alone."""
    return set(modes(folder).values()) == {0o600}


async def test_the_database_is_its_owners_alone(tmp_path: Path) -> None:
    """With its companions, while it is open and afterwards."""
    store = open_store(f"sqlite:///{tmp_path}/shutwatch.db")
    await store.open()
    assert private(tmp_path), modes(tmp_path)
    assert "shutwatch.db-wal" in modes(tmp_path)
    await store.close()
    assert private(tmp_path), modes(tmp_path)


async def test_a_database_that_a_link_leads_to_is_its_owners_alone(tmp_path: Path) -> None:
    """From the first start, which makes it on another disk."""
    disk, link = tmp_path / "disk", tmp_path / "shutwatch.db"
    disk.mkdir()
    link.symlink_to(disk / "data.db")
    store = open_store(f"sqlite:///{link}")
    await store.open()
    assert "data.db-wal" in modes(disk)
    assert private(disk), modes(disk)
    await store.close()


async def test_a_database_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """One that an earlier version made."""
    for _ in range(2):
        store = open_store(f"sqlite:///{tmp_path}/shutwatch.db")
        await store.open()
        assert private(tmp_path), modes(tmp_path)
        await store.close()
        open_to_all(tmp_path)


@pytest.mark.parametrize("damaged", [False, True])
async def test_the_spool_is_its_owners_alone(tmp_path: Path, damaged: bool) -> None:
    """A damaged one that was moved aside as well."""
    file = tmp_path / "spool.db"
    if damaged:
        file.write_bytes(b"no database at all, and longer than a header would be" * 100)
    spool = Spool(file, limit=10**6)
    assert await spool.open() is not damaged
    await spool.note({"a": "b"})
    assert "spool.db-wal" in modes(tmp_path)
    assert private(tmp_path), modes(tmp_path)
    await spool.close()


def test_a_log_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Also one that the shell made, by `2> shutwatch.log`."""
    with (tmp_path / "shutwatch.log").open("w", encoding="utf-8") as file:
        configure(LogSettings(format="json"), file)
        logger("test").warning("something")
    configure(LogSettings())
    assert "something" in (tmp_path / "shutwatch.log").read_text()
    assert private(tmp_path), modes(tmp_path)


def test_what_is_replaced_is_private_before_it_holds_anything(tmp_path: Path) -> None:
    """Also where a file that others can read was left by that name."""
    (tmp_path / "settings.partial").write_bytes(b"left")
    write_private(tmp_path / "settings", b"one")
    write_private(tmp_path / "settings", b"two")
    assert (tmp_path / "settings").read_bytes() == b"two"
    assert modes(tmp_path) == {"settings": 0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone can give a file away")
def test_what_root_writes_is_read_by_the_service_whose_folder_it_is(tmp_path: Path) -> None:
    """systemd gives an agent's folder to a user that it made up. `agent accept`, which root types,
    left there a file that the agent could not read."""
    for owner in ((65534, 65533), (0, 0)):
        os.chown(tmp_path, *owner)
        write_private(tmp_path / "accepted", b"one")
        found = (tmp_path / "accepted").stat()
        assert ((found.st_uid, found.st_gid), found.st_mode & 0o777) == (owner, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone can give a file away")
async def test_the_service_can_use_what_root_made_beside_its_database(tmp_path: Path) -> None:
    """Root types `vantage invite` after a start that failed, `run` to see why, or `db archive`: the
    service could then open neither its database nor its locks."""
    os.chown(tmp_path, 65534, 65533)
    store = open_store(f"sqlite:///{tmp_path}/shutwatch.db", recording=Recording.ALONE)
    await store.open()
    with SqliteBackend(f"{tmp_path}/shutwatch.db").archiving() as held:
        found = owners(tmp_path)
    await store.close()
    assert held
    ends = ("", "-wal", "-shm", RECORDING, ARCHIVING)
    assert {f"shutwatch.db{end}" for end in ends} <= found.keys()
    assert {*found.values()} == {(65534, 65533)}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone can give a file away")
def test_the_service_can_read_what_root_moved_to_the_archive(tmp_path: Path) -> None:
    """`db archive`, typed by root, left a manifest, files and folders that the service could not
    read: no page and no report was listed without an error."""
    os.chown(tmp_path, 65534, 65533)
    place = FolderPlace(tmp_path)
    name = "measurement/country=PK/date=2026-03-01/measurement-0f3a.parquet"
    place.put(name, Path(__file__))
    place.write("manifest/PK-2026-03.json", b"{}")
    made = owners(tmp_path)
    assert len(made) == 6
    assert {*made.values()} == {(65534, 65533)}
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


async def test_a_file_that_is_no_database_keeps_its_mode(tmp_path: Path) -> None:
    """By a mistyped name the program opens a file that everybody must be able to read."""
    other = tmp_path / "people"
    other.write_text("root:x:0:0:root:/root:/bin/bash\n" * 9)
    other.chmod(0o644)
    with pytest.raises(StorageError):
        await open_store(f"sqlite:///{other}").open()
    assert modes(tmp_path) == {"people": 0o644}
