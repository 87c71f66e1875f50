"""An archive in a bucket of an S3-compatible service, which runs on this machine."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from storage.archive import bucket_place as module
from storage.archive.bucket_place import KEY, SECRET, bucket_place
from storage.archive.place import PlaceError
from storage.open_store import sql_store
from storage.store import CollectorStore, StorageError
from storage.values.archive_place import ArchivePlace
from storage.values.prunable import RAW
from storage.values.selection import Selection
from tests.contract.cycles import at, cycle
from tests.contract.listing import EVERYTHING, flat
from tests.worlds.http_client import httpx

moto = pytest.importorskip("moto.server")
pytest.importorskip("obstore")
LATER = at(100 * 86400)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchivePlace]:
    """A bucket with a prefix, and keys to it in the environment."""
    monkeypatch.setenv(KEY, "key")
    monkeypatch.setenv(SECRET, "secret")
    # The mover waits this long after each day.
    monkeypatch.setattr(module.BucketPlace, "stale", 0.05)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    httpx.put(f"{endpoint}/evidence").raise_for_status()
    yield ArchivePlace(bucket="evidence/shutwatch", endpoint=endpoint)
    server.stop()


async def _filled(url: str, place: ArchivePlace) -> CollectorStore:
    store = sql_store(url, place, page=7)
    await store.open()
    for number in range(12):
        await store.save(cycle(number, seconds=number * 20000.0))
        await store.save(cycle(number, country="BR", vantage="gru", seconds=number * 20000.0))
    return store


async def _move(store: CollectorStore) -> None:
    for what in RAW:
        async for _ in store.prune(what, LATER):
            pass


async def test_rows_come_back_from_a_bucket(service: ArchivePlace, tmp_path: Path) -> None:
    """Also to a program that starts later, and rows that came late."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = await _filled(url, service)
    looks, verdicts = (
        await flat(store.measurements(EVERYTHING)),
        await flat(store.verdicts(EVERYTHING)),
    )
    await _move(store)
    await store.save(cycle(99, seconds=100.0))
    await _move(store)
    await store.close()
    again = sql_store(url, service, page=7)
    await again.open()
    found = await flat(again.measurements(EVERYTHING))
    late = [one for one in found if one.cycle == "cycle-khi-ptcl-000099"]
    assert len(late) == 4
    assert [one for one in found if one not in late] == looks
    assert len(await flat(again.verdicts(Selection(country="BR")))) == len(verdicts) / 2
    await again.close()


async def test_what_the_service_changed_is_refused(service: ArchivePlace, tmp_path: Path) -> None:
    """A file with another checksum is an error, not evidence."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = await _filled(url, service)
    await _move(store)
    await store.close()
    place = bucket_place(service)
    (name,) = place.names("measurement/country=PK/date=2024-02-17")
    place.write(name, place.read(name) + b"x")
    place.close()
    again = sql_store(url, service)
    await again.open()
    with pytest.raises(StorageError, match="checksum differs"):
        await flat(again.measurements(EVERYTHING))
    await again.close()


async def test_a_service_that_is_gone_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens at the endpoint: an error that names it, and every row stays."""
    monkeypatch.setenv(KEY, "key")
    monkeypatch.setenv(SECRET, "secret")
    gone = ArchivePlace(bucket="evidence", endpoint="http://127.0.0.1:9")
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = await _filled(url, gone)
    with pytest.raises(StorageError, match="evidence at http://127"):
        await _move(store)
    await store.close()
    plain = sql_store(url)
    await plain.open()
    assert len(await flat(plain.measurements(EVERYTHING))) == 12 * 2 * 4
    await plain.close()


def test_without_keys_it_says_which(service: ArchivePlace) -> None:
    """Never asks anybody else for them, as libraries do."""
    with pytest.raises(StorageError, match=f"set {KEY} and {SECRET} in the environment"):
        bucket_place(service, {})


def test_a_fetched_file_makes_room_for_others(
    service: ArchivePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was used longest ago goes first; it is fetched again when it is wanted."""
    monkeypatch.setattr(module, "_KEPT", 10)
    place = bucket_place(service)
    paths = []
    for number in range(3):
        content = bytes([number]) * 8
        made = tmp_path / f"{number}.parquet"
        made.write_bytes(content)
        place.put(made.name, made)
        paths.append(place.local(made.name, hashlib.sha256(content).hexdigest()))
    assert [one.exists() for one in paths] == [False, True, True]
    assert place.local("0.parquet", hashlib.sha256(bytes(8)).hexdigest()).read_bytes() == bytes(8)
    with pytest.raises(PlaceError, match=r"9\.parquet cannot be read"):
        place.local("9.parquet", "")
    place.close()


def test_a_large_file_comes_back_whole(service: ArchivePlace, tmp_path: Path) -> None:
    """It is put in parts and fetched in parts, the last of them smaller."""
    content = random.Random(1).randbytes(2 * module._PART + 7)
    made = tmp_path / "made.parquet"
    made.write_bytes(content)
    place = bucket_place(service)
    place.put("a/b=c/large.parquet", made)
    file = place.local("a/b=c/large.parquet", hashlib.sha256(content).hexdigest())
    assert file.read_bytes() == content
    place.close()


def test_a_changed_file_has_another_state(service: ArchivePlace) -> None:
    """Of the files directly in a folder, not of those below, nor of the folder's own mark."""
    place = bucket_place(service)
    httpx.put(f"{service.endpoint}/{service.bucket}/listed/").raise_for_status()
    place.write("listed/PK.json", b"1")
    place.write("listed/below/BR.json", b"1")
    before = place.names("listed")
    assert [*before] == ["listed/PK.json"]
    assert place.names("listed") == before
    place.write("listed/PK.json", b"2")
    assert place.names("listed") != before
    place.remove("listed/PK.json")
    place.remove("listed/PK.json")
    assert place.names("listed") == {}
    assert place.read("listed/PK.json") == b""
    place.close()


def test_the_environment_names_no_other_service(
    service: ArchivePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only keys come from there: no file goes to where the operator's other tools keep theirs."""
    with monkeypatch.context() as others:
        others.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        others.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
        others.setenv("AWS_BUCKET", "other")
        others.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")
        place = bucket_place(service)
        place.write("a/b.json", b"1")
        place.close()
    place = bucket_place(service)
    assert place.read("a/b.json") == b"1"
    place.close()


def test_a_bucket_that_is_not_there_is_an_error(service: ArchivePlace) -> None:
    """One line, in the words of the service; the bucket is not made."""
    place = bucket_place(msgspec.structs.replace(service, bucket="nowhere"))
    with pytest.raises(PlaceError) as caught:
        place.names("manifest")
    assert str(caught.value) == (
        f"archive nowhere at {service.endpoint}: cannot be listed: "
        "The specified bucket does not exist"
    )
    with pytest.raises(PlaceError, match="cannot be written"):
        place.write("a.json", b"")
    place.close()
