"""What becomes of a batch that is as it should be, and of one that comes at a bad moment."""

import asyncio
import gzip
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.metrics.ingest_counts import Spool
from monitor.wire.answers import BATCHES, Reason, Receipt
from monitor.wire.batch import MOST_PACKED, encode_batch
from monitor.wire.envelope import SPOOL
from probes.measurement import HttpObservation, Purpose
from storage.store import StorageError
from storage.values.fleet import Enrolment, ReceivedBatch, Reception, SeenCycle
from storage.values.zstandard import zstd
from tests.collector.world import (
    NOW,
    OTHER_KEY,
    Collector,
    batch,
    collecting,
    enrolment,
    good_request,
    health,
    is_signed_answer,
    measurement,
    new_id,
    refusal,
    report,
    request,
    sealed_request,
    settings,
)
from tests.worlds.build import http
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore
from tests.worlds.raw_request import answer_to

STRANGER = Path(__file__).with_name("stranger.py")


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity"])
async def test_a_batch_is_stored_as_it_was_sent_and_as_what_it_says(encoding: str) -> None:
    """Packed in any way, its cycle waits with what was seen, and its body is kept byte by byte with
    its signature, so that anybody can check it later."""
    sent = batch(report(4))
    body = encode_batch(sent)
    packed = zstd.compress(body) if encoding == "zstd" else body
    headers, packed = request(packed, encoding=encoding)
    async with collecting() as collector:
        response = await collector.send(headers, packed)
        receipt = msgspec.json.decode(response.content, type=Receipt)
        assert (response.status_code, receipt.known, receipt.at) == (200, False, NOW)
        assert receipt.batch == headers["shutwatch-request"]
        assert is_signed_answer(response, receipt.batch)
        assert not is_signed_answer(response, new_id())
        (cycle,) = await collector.store.waiting(10)
        (made,) = sent.reports
        assert (cycle.id, cycle.vantage, cycle.country) == (made.cycle, "khi-ptcl", "PK")
        assert (cycle.health, cycle.backfilled, cycle.received_at) == (made.health, False, NOW)
        looks = await collector.store.measurements_of(cycle)
        assert sorted(looks, key=lambda one: one.id) == list(made.measurements)
        (kept,) = await collector.store.received_batches([made.cycle])
        assert (kept.body, kept.encoding) == (packed, encoding)
        assert kept.signature == headers["shutwatch-signature"]
        assert collector.counts.measurements == 4


async def test_times_are_made_the_collectors() -> None:
    """An agent whose clock stands in 1970 says by how much: all its times are corrected by it."""
    lag = timedelta(days=20000, seconds=1.5)
    cycle = new_id()
    made = measurement(cycle, started_at=NOW - timedelta(seconds=60) - lag)
    sent = report(
        cycle=cycle,
        offset=lag.total_seconds(),
        started_at=NOW - timedelta(seconds=70) - lag,
        finished_at=NOW - timedelta(seconds=20) - lag,
        health=health(at=NOW - timedelta(seconds=50) - lag),
        measurements=(made,),
    )
    async with collecting() as collector:
        assert (await collector.send(*request(encode_batch(batch(sent))))).status_code == 200
        (waiting,) = await collector.store.waiting(10)
        assert waiting.started_at == NOW - timedelta(seconds=70)
        assert waiting.finished_at == NOW - timedelta(seconds=20)
        assert waiting.health.at == NOW - timedelta(seconds=50)
        (look,) = await collector.store.measurements_of(waiting)
        assert look.started_at == NOW - timedelta(seconds=60)


@pytest.mark.parametrize(
    ("age", "dated", "late"),
    [(899, True, False), (901, True, True), (20, False, True), (86400, True, True)],
)
async def test_what_comes_late_is_history(age: float, dated: bool, late: bool) -> None:
    """A cycle that ended more than a quarter of an hour before it came, or whose time nobody knows,
    is told apart and counted apart."""
    sent = report(
        finished_at=NOW - timedelta(seconds=age),
        started_at=NOW - timedelta(seconds=age + 50),
        dated=dated,
    )
    async with collecting() as collector:
        assert (await collector.send(*request(encode_batch(batch(sent))))).status_code == 200
        (waiting,) = await collector.store.waiting(10)
        assert waiting.backfilled is late
        assert (collector.counts.measurements, collector.counts.backfilled) == (3, 3 * late)


async def test_history_begins_later_where_cycles_are_rare() -> None:
    """With an hour between two cycles, three hours are no delay."""
    rare = msgspec.structs.replace(settings(), interval=3600.0)
    sent = report(finished_at=NOW - timedelta(hours=2), started_at=NOW - timedelta(hours=3))
    async with collecting(used=rare) as collector:
        assert (await collector.send(*request(encode_batch(batch(sent))))).status_code == 200
        assert not (await collector.store.waiting(10))[0].backfilled


async def test_a_control_hands_in_looks_of_controls() -> None:
    """What a field vantage may not hand in, a vantage that was enrolled as a control may."""
    cycle = new_id()
    made = measurement(cycle, vantage="ams", vantage_role="control", look=Purpose.CONTROL)
    sent = report(
        cycle=cycle,
        health=health(vantage="ams", vantage_role="control"),
        measurements=(made,),
    )
    body = encode_batch(batch(sent, vantage="ams"))
    async with collecting() as collector:
        await collector.store.enrol(enrolment(OTHER_KEY, "ams", "control"))
        response = await collector.send(*request(body, key=OTHER_KEY, vantage="ams"))
        assert response.status_code == 200


async def test_a_page_cannot_have_the_batch_refused_that_tells_of_it() -> None:
    """Evidence is kept whatever the page says: a title with a NUL costs neither batch nor title."""
    cycle = new_id()
    odd = http(title="blocked\0 by order \u202e")
    sent = report(cycle=cycle, measurements=(measurement(cycle, observations=(odd,)),))
    async with collecting() as collector:
        assert (await collector.send(*request(encode_batch(batch(sent))))).status_code == 200
        (waiting,) = await collector.store.waiting(1)
        (look,) = await collector.store.measurements_of(waiting)
        (seen,) = look.observations
        assert isinstance(seen, HttpObservation)
        assert seen.title.startswith("blocked")


async def test_the_spool_of_an_agent_is_known_by_its_own_word() -> None:
    """How much waits at an agent and how much it gave up is what its last batch said."""
    async with collecting() as collector:
        for waiting in (900, 100):
            headers, body = good_request()
            response = await collector.send({**headers, SPOOL: f"{waiting} 7"}, body)
            assert response.status_code == 200
        for odd in ("1", "1 2 3", "-1 2", f"{10**20} 0", "a b"):
            headers, body = good_request()
            response = await collector.send({**headers, SPOOL: odd}, body)
            assert refusal(response).reason is Reason.MALFORMED
        assert collector.counts.spools == {"khi-ptcl": Spool(waiting=100, dropped=7)}


class Sick(MemoryStore):
    """A store that fails or hangs when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = False
        self.hanging: asyncio.Event | None = None

    async def receive(self, batch: ReceivedBatch, cycles: Sequence[SeenCycle]) -> Reception:
        """As told."""
        if self.failing:
            raise StorageError("database is full")
        if self.hanging:
            await self.hanging.wait()
        return await super().receive(batch, cycles)

    async def enrolments(self) -> list[Enrolment]:
        """As told."""
        if self.failing:
            raise StorageError("database is full")
        return await super().enrolments()


async def test_nothing_is_acknowledged_that_the_database_did_not_take() -> None:
    """While the database fails an agent is told to come back, and the same batch is taken then."""
    store = Sick()
    async with collecting(store=store) as collector:
        assert (await collector.send(*good_request())).status_code == 200
        store.failing = True
        sent = good_request()
        collector.clock.now += 60
        response = await collector.send(*sent)
        assert (response.status_code, refusal(response).reason) == (503, Reason.STORAGE)
        assert int(response.headers["retry-after"]) > 0
        assert await collector.stored() == 1
        store.failing = False
        response = await collector.send(*sent)
        assert (response.status_code, response.json()["known"]) == (200, False)
        assert await collector.stored() == 2


async def test_without_any_enrolment_read_nobody_is_called_a_stranger() -> None:
    """A collector that starts while the database is down says so: an agent that was told its key is
    unknown would give up."""
    store = Sick()
    async with collecting(store=store) as collector:
        store.failing = True
        response = await collector.send(*good_request())
        assert (response.status_code, refusal(response).reason) == (503, Reason.STORAGE)


async def test_a_slow_database_pushes_back_instead_of_filling_memory() -> None:
    """Past the requests that are taken on at once, agents are told to wait; no one vantage has all
    the places; and whoever has one is served when the database goes on."""
    store = Sick()
    async with collecting(store=store, used=settings(requests_at_once=5)) as collector:
        await store.enrol(enrolment(OTHER_KEY, "lhe-a"))
        store.hanging = asyncio.Event()
        mine = [asyncio.create_task(collector.send(*good_request())) for _ in range(5)]
        await _until(lambda: sum(task.done() for task in mine) == 1)
        (over,) = [task.result() for task in mine if task.done()]
        assert refusal(over).reason is Reason.TOO_FAST
        other = [asyncio.create_task(collector.send(*_of_other("lhe-a"))) for _ in range(2)]
        await _until(lambda: sum(task.done() for task in other) == 1)
        (busy,) = [task.result() for task in other if task.done()]
        assert (busy.status_code, refusal(busy).reason) == (429, Reason.BUSY)
        assert int(busy.headers["retry-after"]) > 0
        store.hanging.set()
        done = await asyncio.gather(*mine, *other)
        assert sorted(one.status_code for one in done) == [200] * 5 + [429] * 2
        assert await collector.stored() == 5
        assert {one.vantage for one in await store.waiting(10)} == {"khi-ptcl", "lhe-a"}


def _of_other(vantage: str) -> tuple[dict[str, str], bytes]:
    cycle = new_id()
    sent = report(
        cycle=cycle,
        health=health(vantage=vantage),
        measurements=(measurement(cycle, vantage=vantage),),
    )
    return request(encode_batch(batch(sent, vantage=vantage)), key=OTHER_KEY, vantage=vantage)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 # tasks of a client have no event to wait for
            await asyncio.sleep(0.01)


async def test_a_key_works_as_soon_as_it_is_enrolled_and_stops_soon_after_it_is_revoked() -> None:
    """An agent that was just enrolled need not wait, and one whose machine was taken is heard for
    some seconds at most."""
    async with collecting() as collector:
        sent = _of_other("lhe-a")
        assert refusal(await collector.send(*sent)).reason is Reason.UNKNOWN_KEY
        await collector.store.enrol(enrolment(OTHER_KEY, "lhe-a"))
        collector.clock.now += 1
        assert (await collector.send(*sent)).status_code == 200
        await collector.store.revoke("lhe-a", NOW, "the machine was taken")
        assert (await collector.send(*_of_other("lhe-a"))).status_code == 200
        collector.clock.now += 5
        refused = await collector.send(*_of_other("lhe-a"))
        assert (refused.status_code, refusal(refused).reason) == (401, Reason.REVOKED_KEY)


async def _raw(collector: Collector) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = httpx.URL(collector.url)
    return await asyncio.open_connection(url.host, url.port)


def _head(headers: dict[str, str], length: int) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"POST {BATCHES} HTTP/1.1\r\nhost: c\r\ncontent-length: {length}\r\n"
    return (head + "".join(lines) + "\r\n").encode()


async def test_a_connection_cut_in_mid_body_leaves_nothing() -> None:
    """Half a batch is no batch: nothing is stored or counted, and its place is free again."""
    async with collecting(used=settings(requests_at_once=1)) as collector:
        headers, body = good_request()
        outside, sealed = sealed_request(headers, body)
        for _ in range(3):
            _, writer = await _raw(collector)
            writer.write(_head(outside, len(sealed)) + sealed[: len(sealed) // 2])
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.transport.abort()
            await asyncio.sleep(0.05)
        assert (collector.counts.batches, await collector.stored()) == (0, 0)
        assert (await collector.send(headers, body)).status_code == 200


async def test_a_body_that_comes_in_drops_loses_its_place() -> None:
    """A sender slower than any line is told so and cut off, and nothing is left of it."""
    async with collecting(used=settings(requests_at_once=1), patience=0.2) as collector:
        headers, body = good_request()
        reader, writer = await _raw(collector)
        writer.write(_head(sealed_request(headers, body)[0], len(body)))
        began = asyncio.get_running_loop().time()
        answer = asyncio.create_task(reader.read())
        for start in range(20):
            if answer.done():
                break
            writer.write(body[start : start + 1])
            await asyncio.sleep(0.1)
        assert (await answer).startswith(b"HTTP/1.1 429 ")
        assert asyncio.get_running_loop().time() - began < 1.5
        assert collector.counts.rejected[Reason.BUSY] == 1
        writer.transport.abort()
        assert (await collector.send(headers, body)).status_code == 200


async def test_a_body_without_a_length_is_bounded_all_the_same() -> None:
    """Who sends in chunks and never ends is stopped at the size of the largest batch."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MOST_PACKED // 65536 + 1):
            yield b" " * 65536

    async with collecting() as collector:
        headers, _ = good_request()
        outside, _ = sealed_request(headers, b"")
        response = await collector.client.post(BATCHES, headers=outside, content=endless())
        assert (response.status_code, refusal(response).reason) == (413, Reason.OVERSIZE)


async def test_strangers_do_not_slow_an_agent_down(tmp_path: Path) -> None:
    """While a thousand requests of strangers come, each with a large body, all batches of an agent
    are taken, each within three seconds."""
    headers, _ = good_request(key=OTHER_KEY)
    outside, _ = sealed_request(headers, b"")
    (tmp_path / "headers.json").write_text(json.dumps(outside))
    async with collecting(used=settings(batches_per_minute=10_000)) as collector:
        url = httpx.URL(collector.url)
        stranger = await asyncio.create_subprocess_exec(
            *(sys.executable, STRANGER, url.host, str(url.port), "1000"),
            tmp_path / "headers.json",
            stdout=asyncio.subprocess.PIPE,
        )
        slowest, taken = 0.0, 0
        told = asyncio.create_task(stranger.communicate())
        await _until(lambda: collector.counts.rejected[Reason.UNKNOWN_KEY] > 0)
        loop = asyncio.get_running_loop()
        while not told.done():
            began = loop.time()
            assert (await collector.send(*good_request())).status_code == 200
            slowest, taken = max(slowest, loop.time() - began), taken + 1
        assert json.loads((await told)[0]) == {"401": 1000}
        assert collector.counts.rejected[Reason.UNKNOWN_KEY] == 1000
        assert await collector.stored() == taken
    assert taken > 3
    assert slowest < 3


async def test_no_address_is_logged_and_refusals_do_not_fill_the_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a hundred refusals one line is written, with the vantage where its key is known, and no
    line holds an address."""
    for client in ("httpx", "httpcore"):  # the agent's side of this test
        caplog.set_level(logging.ERROR, client)
    caplog.set_level(logging.DEBUG)  # last, since each call also sets what caplog keeps
    async with collecting() as collector:
        headers, body = good_request()
        for _ in range(50):
            await collector.send(headers, body[:-1])
            await collector.send(*good_request(key=OTHER_KEY, vantage="made-up"))
        port = httpx.URL(collector.url).port or 0
        answer = await answer_to(b"\x16\x03\x01 no HTTP at all\r\n\r\n", port)
        assert answer.startswith(b"HTTP/1.1 400 ")
    written = caplog.text + "".join(capsys.readouterr())
    assert written.count("request refused") == 2
    assert written.count("khi-ptcl") == 1
    assert "made-up" not in written
    assert "127.0.0.1" not in written


async def test_whatever_else_is_asked_for_is_not_there() -> None:
    """Other paths and methods get JSON that tells nothing."""
    async with collecting() as collector:
        for method, path, status in (
            ("GET", "/", 404),
            ("GET", "/metrics", 404),
            ("GET", "/api/v1/events", 404),
            ("GET", BATCHES, 405),
            ("DELETE", BATCHES, 405),
            ("OPTIONS", BATCHES, 405),
        ):
            response = await collector.client.request(method, path)
            assert (response.status_code, response.json()) == (
                status,
                {"detail": "there is no such thing here"},
            )


class Broken(MemoryStore):
    """A store with a bug."""

    async def receive(self, batch: ReceivedBatch, cycles: Sequence[SeenCycle]) -> Reception:
        """Never."""
        raise RuntimeError(f"a bug that would tell {batch.vantage} and {len(cycles)}")


async def test_a_bug_of_ours_tells_nothing() -> None:
    """A fault in the collector is answered without its details, and with when to try again."""
    async with collecting(store=Broken()) as collector:
        response = await collector.send(*good_request())
        assert response.status_code == 500
        assert response.json() == {"detail": "a fault of the collector's; nothing was acknowledged"}
        assert response.headers["retry-after"]


async def test_gzip_in_small_pieces_is_as_good() -> None:
    """How a body is cut into packets does not matter."""
    async with collecting() as collector:
        headers, body = request(encode_batch(batch()))
        outside, sealed = sealed_request(headers, body)
        reader, writer = await _raw(collector)
        writer.write(_head(outside, len(sealed)))
        for start in range(0, len(sealed), 7):
            writer.write(sealed[start : start + 7])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert gzip.decompress(body)
