"""Attacks on the line from an agent to its collector, by who owns the network or the machine."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trustme

from monitor.agent.collector_clock import AgentClock
from tests.lab.certificates import authority, interceptor
from tests.worlds.agent_collector import NAME, Collector, collecting
from tests.worlds.agent_world import World, until, until_empty, world

STATE = "National Certification Centre"


class Middlebox:
    """Ends TLS with a certificate of the state's own, reads along, and passes everything on."""

    def __init__(self, state: trustme.CA, far: int) -> None:
        """`far` is the collector's port on loopback."""
        self._far = far
        self._near_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        state.issue_cert(NAME).configure_cert(self._near_tls)
        self._far_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority().configure_trust(self._far_tls)
        self.read = b""
        """All it saw in clear, both ways."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """At work as long as the context lasts; gives its port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._near_tls)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.closing(back), contextlib.suppress(OSError, EOFError):
            answers, on = await asyncio.open_connection(
                "127.0.0.1", self._far, ssl=self._far_tls, server_hostname=NAME
            )
            with contextlib.closing(on):
                await asyncio.gather(self._carry(near, on), self._carry(answers, back))

    async def _carry(self, near: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await near.read(65536):
                self.read += data
                far.write(data)
                await far.drain()
            far.close()


@asynccontextmanager
async def intercepted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, pinned: bool
) -> AsyncIterator[tuple[World, Collector, Middlebox]]:
    """An agent whose machine trusts the state's authority, which is all that its system trusts, and
    whose line passes the state's middlebox."""
    state = interceptor(STATE)
    system = folder / "system.pem"
    state.cert_pem.write_to_path(str(system))
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    async with collecting(authority()) as (collector, _):
        middlebox = Middlebox(state, collector.port)
        async with middlebox.serving() as port:
            one = world(folder, authority(), collector)
            anchors = one.setup.trust_anchors if pinned else ()
            one.setup = msgspec.structs.replace(
                one.setup, collectors=(f"https://{NAME}:{port}",), trust_anchors=anchors
            )
            await one.spool.open()
            try:
                yield one, collector, middlebox
            finally:
                await one.spool.close()


async def test_a_state_authority_in_the_systems_store_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anchors given for a collector replace the system's: no request reaches the middlebox."""
    async with intercepted(tmp_path, monkeypatch, pinned=True) as (one, collector, middlebox):
        clock = AgentClock(one.time.machine)
        await one.fill(1, clock)
        async with one.courier(clock):
            await until(lambda: one.backoff.failures > 1)
        trouble = json.loads((await one.spool.notes())["trouble"])["what"]
        assert (await one.spool.holding()).measurements > 0
    assert middlebox.read == b""
    assert not collector.paths
    assert "certificate" in trouble


async def test_the_collectors_own_certificate_may_be_the_anchor(tmp_path: Path) -> None:
    """Then no authority at all can issue another one."""
    own = authority().issue_cert(NAME)
    file = tmp_path / "collector.pem"
    own.cert_chain_pems[0].write_to_path(str(file))
    async with collecting(authority(), own) as (collector, _):
        one = world(tmp_path, authority(), collector)
        one.setup = msgspec.structs.replace(one.setup, trust_anchors=(str(file),))
        await one.spool.open()
        clock = AgentClock(one.time.machine)
        await one.fill(1, clock)
        async with one.courier(clock):
            await until_empty(one.spool)
        await one.spool.close()
    assert set(collector.measurements()) == one.put
