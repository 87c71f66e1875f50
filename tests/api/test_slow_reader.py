"""A file is read only as fast as its client takes it, and nothing waits for the client."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from starlette.types import Message, Scope

from monitor.server.api import create_api
from storage.store import Store
from tests.contract.cycles import cycle

SCOPE: Scope = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "path": "/measurements.csv",
    "raw_path": b"/measurements.csv",
    "root_path": "",
    "query_string": b"country=PK",
    "headers": [],
    "server": ("127.0.0.1", 80),
    "client": ("127.0.0.1", 1),
    "scheme": "http",
}


MORE = 20
"""Cycles: more than the server reads ahead of a client."""


async def fill_more(store: Store) -> None:
    """Store MORE cycles."""
    for number in range(20, 20 + MORE):
        await store.save(cycle(number))


class SlowReader:
    """Takes the start of a response, then nothing until `go_on` is set."""

    def __init__(self) -> None:
        self.body = b""
        self.stuck = asyncio.Event()
        self.go_on = asyncio.Event()

    async def receive(self) -> Message:
        """Sends nothing and stays connected."""
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        """Waits, as a server does when the client's buffers are full."""
        self.body += message.get("body", b"")
        if self.body.count(b"\r\n") > 1 and not self.go_on.is_set():
            self.stuck.set()
            await self.go_on.wait()


async def test_a_reader_that_stops_holds_no_transaction(store: Store, tmp_path: Path) -> None:
    """While many clients wait, cycles are stored, and a checkpoint empties the write-ahead log."""
    await fill_more(store)
    app = create_api(store, lambda _: True)
    readers = [SlowReader() for _ in range(6)]
    reading = [asyncio.create_task(app(SCOPE, one.receive, one.send)) for one in readers]
    await asyncio.gather(*(one.stuck.wait() for one in readers))
    await store.save(cycle(60))
    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        busy, left, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (busy, left) == (0, 0)
    for one in readers:
        one.go_on.set()
    await asyncio.gather(*reading)
    assert len({one.body for one in readers}) == 1
    # The cycle stored meanwhile is far behind the batches read before it, so the file has it.
    assert readers[0].body.count(b"\r\n") == 1 + 4 * 4 + 1 + MORE * 4 + 4


async def test_a_store_that_fails_half_way_breaks_the_file_off(store: Store) -> None:
    """An incomplete file has no end."""
    await fill_more(store)
    reader = SlowReader()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        await reader.send(message)

    reading = asyncio.create_task(create_api(store, lambda _: True)(SCOPE, reader.receive, send))
    await reader.stuck.wait()
    await store.close()
    reader.go_on.set()
    (outcome,) = await asyncio.gather(reading, return_exceptions=True)
    assert isinstance(outcome, BaseException)
    assert sent[-1].get("more_body", True)
