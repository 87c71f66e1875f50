"""An agent hands in through real proxies on loopback, which see where to and nothing else."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trustme

from monitor.agent.collector_clock import AgentClock
from monitor.config.load import load_config
from tests.lab.certificates import authority
from tests.unit.monitor.agent.test_agent_orders import AGENT
from tests.worlds.agent_collector import Collector, Server
from tests.worlds.agent_world import VANTAGE, World, until, until_empty, world

NOWHERE = "collector.example.invalid"
"""A name that no resolver knows (RFC 6761): who connects to it has a proxy that does."""
USER, PASSWORD = "khi", "s3cret"
LOGIN = base64.b64encode(f"{USER}:{PASSWORD}".encode())
GRANTED = b"\x05\x00\x00\x01" + b"\0" * 6


class Proxy:
    """Takes whoever knows the password to the one server it knows, whatever that is called."""

    def __init__(self, kind: str, far: int) -> None:
        """`kind` is `http` or `socks5`, `far` the port on loopback it connects to."""
        self._kind = kind
        self._far = far
        self.asked: list[str] = []
        """Host and port of every connection."""
        self.carried: list[bytes] = []
        """All that agents sent on, one entry for each connection."""

    @asynccontextmanager
    async def serving(self, password: str = PASSWORD) -> AsyncIterator[str]:
        """At work as long as the context lasts; gives its address as an agent is told it."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            yield f"{self._kind}://{USER}:{password}@127.0.0.1:{port}"

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.closing(back), contextlib.suppress(OSError, EOFError):
            greeted = self._as_http if self._kind == "http" else self._as_socks
            if not await greeted(near, back):
                return
            answers, on = await asyncio.open_connection("127.0.0.1", self._far)
            with contextlib.closing(on):
                self.carried.append(b"")
                await asyncio.gather(
                    self._carry(near, on, len(self.carried) - 1), self._carry(answers, back)
                )

    async def _as_http(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> bool:
        """CONNECT, RFC 9110 section 9.3.6."""
        head = await near.readuntil(b"\r\n\r\n")
        method, target, _ = head.decode().split(" ", 2)
        if b"Proxy-Authorization: Basic " + LOGIN not in head:
            back.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return False
        assert method == "CONNECT"
        self.asked.append(target)
        back.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return True

    async def _as_socks(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> bool:
        """RFC 1928 with a name and a password, RFC 1929."""
        _, count = await near.readexactly(2)
        assert 2 in await near.readexactly(count)
        back.write(b"\x05\x02")
        await near.readexactly(1)
        given = [await near.readexactly((await near.readexactly(1))[0]) for _ in range(2)]
        if given != [USER.encode(), PASSWORD.encode()]:
            back.write(b"\x01\x01")
            return False
        back.write(b"\x01\x00")
        _, _, _, kind = await near.readexactly(4)
        assert kind == 3, "an address, where the name was to be handed on"
        host = (await near.readexactly((await near.readexactly(1))[0])).decode()
        self.asked.append(f"{host}:{int.from_bytes(await near.readexactly(2), 'big')}")
        back.write(GRANTED)
        return True

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, noted: int | None = None
    ) -> None:
        while data := await reader.read(65536):
            if noted is not None:
                self.carried[noted] += data
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def far_away(made_by: trustme.CA) -> AsyncIterator[Collector]:
    """A collector under a name that this machine cannot look up."""
    collector = Collector()
    collector.name = NOWHERE
    server = Server(collector, made_by)
    await server.start()
    try:
        yield collector
    finally:
        await server.stop()


@asynccontextmanager
async def agent(folder: Path, collector: Collector, proxy: str) -> AsyncIterator[World]:
    """An agent that is told of the proxy by its own file."""
    file = folder / "agent.toml"
    file.write_text(AGENT + f'proxy = "{proxy}"\n')
    told = load_config(file, {}).agent
    assert told is not None
    one = world(folder, authority(), collector)
    one.setup = msgspec.structs.replace(one.setup, proxy=told.proxy)
    await one.spool.open()
    try:
        yield one
    finally:
        await one.spool.close()


def spooled_bytes(folder: Path) -> bytes:
    """All that the files of an agent's spool hold."""
    return b"".join(file.read_bytes() for file in folder.glob("spool.db*"))


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_an_agent_hands_in_through_a_proxy(tmp_path: Path, kind: str) -> None:
    """Everything arrives once, though the agent's machine cannot look up the collector's name: the
    proxy is told the name, the password is given, and what it carries is TLS from the first byte to
    the last."""
    async with far_away(authority()) as collector:
        proxy = Proxy(kind, collector.port)
        async with proxy.serving() as address, agent(tmp_path, collector, address) as one:
            clock = AgentClock(one.time.machine)
            await one.fill(12, clock)
            async with one.courier(clock):
                await until_empty(one.spool)
    found = collector.measurements()
    assert (set(found), set(found.values())) == (one.put, {1})
    assert set(proxy.asked) == {f"{NOWHERE}:{collector.port}"}
    assert one.backoff.failures == 0
    for sent in proxy.carried:
        assert sent.startswith(b"\x16\x03")
        assert not any(word in sent.lower() for word in (b"shutwatch", b"http/1.1\r\n", b"/agent/"))
        assert VANTAGE.encode() not in sent


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_a_proxy_that_answers_in_the_collectors_place_reads_nothing(
    tmp_path: Path, kind: str
) -> None:
    """It has no certificate that the agent believes: no request is sent, and what was seen
    waits."""
    async with far_away(trustme.CA()) as impostor:
        proxy = Proxy(kind, impostor.port)
        async with proxy.serving() as address, agent(tmp_path, impostor, address) as one:
            clock = AgentClock(one.time.machine)
            await one.fill(2, clock)
            async with one.courier(clock):
                await until(lambda: len(one.backoff.waits) >= 2)
            assert (await one.spool.holding()).measurements == len(one.put)
    assert proxy.asked
    assert not impostor.paths


async def test_a_proxy_that_takes_no_password_of_ours_costs_a_wait(tmp_path: Path) -> None:
    """The agent never goes around it, and neither password nor address is in what it keeps."""
    async with far_away(authority()) as collector:
        proxy = Proxy("http", collector.port)
        async with (
            proxy.serving(password="another") as address,  # noqa: S106 # of nothing real
            agent(tmp_path, collector, address) as one,
        ):
            clock = AgentClock(one.time.machine)
            await one.fill(2, clock)
            async with one.courier(clock):
                await until(lambda: len(one.backoff.waits) >= 2)
            assert (await one.spool.holding()).measurements == len(one.put)
            kept = spooled_bytes(tmp_path)
    assert not proxy.asked
    assert not collector.paths
    assert b"another" not in kept
    assert b"127.0.0.1" not in kept
