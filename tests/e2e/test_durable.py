"""An acknowledgement follows the disk: what the kernel was asked for, and in which order."""

import asyncio
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.keys.keys import ORDERS_KEY_NAME, load
from monitor.keys.sealing import sealing_key, sealing_text
from monitor.wire.answers import BATCHES
from monitor.wire.batch import encode_batch
from monitor.wire.envelope import SEALED
from storage.open_store import open_store
from tests.collector import world
from tests.e2e import syscalls
from tests.e2e.running import wait_for
from tests.worlds.http_client import httpx
from tests.worlds.postgresql import DURABLE, Cluster

HERE = Path(sys.executable).parent


def _config(folder: Path, database: str) -> Path:
    path = folder / "collector.toml"
    path.write_text(
        f'interval = "1h"\ndatabase = "{database}"\nlisten = "127.0.0.1:0"\n'
        '[collector]\nlisten = "127.0.0.1:0"\nbehind_proxy = true\n'
    )
    return path


async def _enrol(database: str) -> None:
    store = open_store(database)
    await store.open()
    await store.enrol(world.enrolment())
    await store.close()


@contextmanager
def _collector(folder: Path, database: str, trace: Path) -> Iterator[str]:
    """A `shutwatch collector` that is traced; the address of its agents' side."""
    asyncio.run(_enrol(database))
    argv = [str(HERE / "shutwatch"), "collector", "--config", str(_config(folder, database))]
    log = folder / "log"
    with log.open("w") as written:
        process = subprocess.Popen(syscalls.traced(argv, trace), stderr=written, cwd=folder)
    try:
        yield f"http://{wait_for(lambda: _address(log), 'the collector')}"
    finally:
        process.terminate()
        process.wait(60)


def _address(log: Path) -> str:
    for line in log.read_text().splitlines():
        if "listening for agents" in line:
            words = line.replace('"', " ").replace("=", " ").replace(",", " ").split()
            return next(word for word in words if word.startswith("127.0.0.1:"))
    return ""


@pytest.mark.strace
def test_a_private_file_is_whole_before_it_has_its_name(tmp_path: Path) -> None:
    """After a loss of power a host's consent, or a control's password, must not be empty."""
    trace, file = tmp_path / "trace", tmp_path / "consent"
    write = (
        "import sys; from pathlib import Path\n"
        "from storage.values.private_file import write_private\n"
        "write_private(Path(sys.argv[1]), b'what the host accepted')"
    )
    subprocess.run(syscalls.traced([sys.executable, "-c", write, str(file)], trace), check=True)
    calls = syscalls.read(trace.read_text().splitlines())
    assert syscalls.synced(calls, within="consent.partial", holding="accepted", by=math.inf)
    assert file.read_bytes() == b"what the host accepted"


def _hand_in(url: str, folder: Path) -> dict[str, str]:
    """Hand in three batches of one cycle each, one after the other: their ids, and how their sealed
    headers begin."""
    sent = {}
    sealing = sealing_text(sealing_key(load(folder / ORDERS_KEY_NAME)))
    with httpx.Client(base_url=url, trust_env=False) as client:
        for _ in range(3):
            now = datetime.now(UTC)
            cycle, ago = world.new_id(), now - timedelta(seconds=60)
            report = world.report(
                cycle=cycle,
                started_at=ago,
                finished_at=now - timedelta(seconds=10),
                health=world.health(at=ago),
                measurements=tuple(world.measurement(cycle, started_at=ago) for _ in range(3)),
            )
            body = encode_batch(world.batch(report))
            batch = world.new_id()
            headers, packed = world.request(body, sent_at=now, identity=batch)
            outside, sealed = world.sealed_request(headers, packed, sealing)
            answer = client.post(BATCHES, headers=outside, content=sealed)
            assert answer.status_code == 200, answer.text
            sent[batch] = outside[SEALED][:60]
    return sent


def _trace(file: Path) -> list[syscalls.Call]:
    return syscalls.read(file.read_text(encoding="utf-8", errors="replace").splitlines())


def _answered(calls: Sequence[syscalls.Call], batches: Mapping[str, str]) -> dict[str, float]:
    """Batch → when its acknowledgement began to be written."""
    found = syscalls.answers(calls, f"POST {BATCHES} ", "HTTP/1.1 200 ")
    assert len(found) == len(batches)
    for (asked, _), begins in zip(found, batches.values(), strict=True):
        assert begins in asked.given
    return {batch: sent.began for (_, sent), batch in zip(found, batches, strict=True)}


@pytest.mark.strace
def test_sqlite_syncs_its_log_before_the_acknowledgement(tmp_path: Path) -> None:
    """What a batch brought is written to the write-ahead log of SQLite and `fdatasync` of it has
    succeeded before the first byte of the 200 is written to the agent's socket."""
    trace = tmp_path / "trace"
    with _collector(tmp_path, f"sqlite:///{tmp_path / 'shutwatch.db'}", trace) as url:
        batches = _hand_in(url, tmp_path)
    calls = _trace(trace)
    for batch, at in _answered(calls, batches).items():
        assert syscalls.synced(calls, within="shutwatch.db-wal", holding=batch, by=at)


@pytest.mark.strace
@pytest.mark.postgres
def test_postgresql_syncs_its_log_before_the_acknowledgement(tmp_path: Path) -> None:
    """The same, where PostgreSQL's processes write to `pg_wal`, with its settings as shipped."""
    of_server, of_collector = tmp_path / "server", tmp_path / "collector"
    cluster = Cluster(settings=DURABLE, run_by=lambda argv: syscalls.traced(argv, of_server))
    try:
        cluster.start()
        database = cluster.url(cluster.new_database())
        with _collector(tmp_path, database, of_collector) as url:
            batches = _hand_in(url, tmp_path)
        cluster.stop()
    finally:
        cluster.remove()
    calls = _trace(of_server)
    for batch, at in _answered(_trace(of_collector), batches).items():
        assert syscalls.synced(calls, within="/pg_wal/", holding=batch, by=at)


TRACE = """\
7 100.000000 recvfrom(9<socket:[1]>, "POST /agent/v1/batches \\r\\nid: b1", 99, 0) = 40 <0.000010>
8 100.100000 pwrite64(5</x/shutwatch.db-wal>, "\\0\\0b1\\0", 8192, 32) = 8192 <0.000020>
8 100.200000 fdatasync(5</x/shutwatch.db-wal> <unfinished ...>
7 100.250000 sendto(9<socket:[1]>, "HTTP/1.1 200 OK\\r\\n", 400, 0, NULL, 0) = 400 <0.000010>
8 100.300000 <... fdatasync resumed>) = 0 <0.100000>
""".splitlines()


def test_a_trace_with_an_early_acknowledgement_is_noticed() -> None:
    """A 200 while `fdatasync` still runs is found out, and one after it is not."""
    calls = syscalls.read(TRACE)
    assert [call.name for call in calls] == ["recvfrom", "pwrite64", "fdatasync", "sendto"]
    ((_, sent),) = syscalls.answers(calls, "POST /agent/v1/batches ", "HTTP/1.1 200 ")
    with pytest.raises(AssertionError, match="before it was on disk"):
        syscalls.synced(calls, within="db-wal", holding="b1", by=sent.began)
    (sync,) = syscalls.synced(calls, within="db-wal", holding="b1", by=sent.began + 0.1)
    assert sync.ended == pytest.approx(100.3)
    with pytest.raises(AssertionError, match="was not written"):
        syscalls.synced(calls, within="db-wal", holding="b2", by=sent.began)
