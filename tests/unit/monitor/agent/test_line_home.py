"""Attacks on the line from an agent to its collector, by who owns the network or the machine."""

import asyncio
import contextlib
import gzip
import json
import random
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from monitor.agent.ask_controls import RemoteControls
from monitor.agent.collector_client import CollectorClient, RefusedError, agents_context
from monitor.agent.collector_clock import AgentClock
from monitor.agent.signed_answer import UnreachableError
from monitor.agent.wipe import wipe
from monitor.keys.keys import fingerprint, load_or_make, public_text
from monitor.wire.answers import CONTROLS, AgentSettings, Reason
from monitor.wire.envelope import SEALED
from monitor.wire.signing import SIGNATURE
from probes.measurement import TcpObservation
from tests.contract.cycles import measurement
from tests.lab.certificates import authority, interceptor
from tests.unit.monitor.agent.test_ask_controls import CYCLE, TARGET
from tests.unit.monitor.analysis.judge.test_genuine_chains import made
from tests.worlds.agent_collector import AGENT_KEY, NAME, Collector, collecting
from tests.worlds.agent_world import VANTAGE, World, until, until_empty, world

STATE = "National Certification Centre"
ORDERS = AgentSettings(
    version="1",
    issued_at=datetime(2026, 3, 1, tzinfo=UTC),
    interval=300.0,
    platforms=("telegram", "x"),
    daily_bytes=10**7,
)


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


async def test_attack_an_answer_that_unpacks_without_end_is_not_unpacked(tmp_path: Path) -> None:
    """Whoever ends TLS answers with a few hundred bytes, packed three times, that unpack to as
    much as he likes, and the agent is gone from its small machine."""
    packed = zlib.compressobj(wbits=31)
    bomb = b"".join(packed.compress(bytes(1 << 24)) for _ in range(16)) + packed.flush()
    bomb = gzip.compress(gzip.compress(bomb))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip, gzip\r\n"
    tracemalloc.start()
    with pytest.raises(UnreachableError):
        await asked_of_a_stranger(tmp_path, head, bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 32 * 2**20


async def test_attack_a_refusal_moves_no_cursor(tmp_path: Path) -> None:
    """Refusals are in clear and unsigned. Whoever ends TLS wrote into the host's terminal, by the
    agent's status and log, whatever it likes: that all is well, or what to type."""
    detail = "\x1b[2J\x1b[HDelivered a moment ago\u202e"
    body = json.dumps({"reason": "busy", "detail": detail, "at": "2026-03-01T12:00:00Z"})
    with pytest.raises(RefusedError) as refused:
        await asked_of_a_stranger(tmp_path, b"HTTP/1.1 429 Too Many\r\n", body.encode())
    assert str(refused.value).isprintable()
    assert "Delivered a moment ago" in str(refused.value)


async def asked_of_a_stranger(folder: Path, head: bytes, body: bytes) -> None:
    """An agent asks for the time, and whoever ends TLS answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(NAME).configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        collector = Collector()
        collector.port = server.sockets[0].getsockname()[1]
        one = world(folder, authority(), collector)
        clock = AgentClock(one.time.machine)
        async with CollectorClient(one.setup, VANTAGE, AGENT_KEY, clock, random.Random(1)) as line:
            await line.learn_time(collector.url)


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


def test_an_authority_of_the_operators_own_is_trusted_by_every_python(tmp_path: Path) -> None:
    """One made by hand says nothing of key identifiers or of what its key is for. Agents on Debian
    13 refused collectors of such an authority, whom those on Debian 12 took."""
    root = made("Our Authority", authority=True)
    leaf = made(NAME, root)
    key = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file, anchor = tmp_path / "collector.pem", tmp_path / "our-ca.pem"
    file.write_bytes(key + leaf.pem)
    anchor.write_bytes(root.pem)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(file)
    agents = agents_context((str(anchor),))
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    agent = agents.wrap_bio(here, there, server_hostname=NAME)
    for end in (agent, served.wrap_bio(there, here, server_side=True)) * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    assert agent.version()
    assert agents.verify_flags == agents_context(()).verify_flags


async def test_a_state_authority_that_is_trusted_reads_neither_who_nor_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is pinned the middlebox passes all on, in clear to itself: no byte of it names
    the vantage, its key, a measurement, a platform, or what controls and orders say."""
    async with intercepted(tmp_path, monkeypatch, pinned=False) as (one, collector, middlebox):
        clock = AgentClock(one.time.machine)
        collector.orders = ORDERS
        await one.fill(3, clock)
        async with one.courier(clock) as courier:
            await until_empty(one.spool)
            await until(lambda: one.ordered)
            controls = RemoteControls(courier._client, clock)
            await controls.measure(TARGET, after=0.0, cycle=CYCLE)
    assert set(collector.measurements()) == one.put
    assert collector.paths[CONTROLS] == 1
    assert b"POST /agent/v1/batches" in middlebox.read
    bodies = list(collector.bodies.values())
    fields = (b'"measurements"', b'"platforms"', b'"target"', b'"looks"', b'"batch"')
    assert all(b'"measurements"' in gzip.decompress(body) for body in bodies)
    secrets = [
        *(VANTAGE.encode(), fingerprint(public_text(AGENT_KEY)).encode()),
        *(id_.encode() for id_ in (*one.put, *collector.bodies)),
        *(platform.encode() for platform in ("telegram", "facebook", "x.com")),
        *(body[start : start + 16] for body in bodies for start in range(0, 320, 16)),
        *fields,
    ]
    assert [one for one in secrets if one in middlebox.read] == []
    lines = {line.split(b":")[0] for line in middlebox.read.split(b"\r\n") if b": " in line}
    ours = {name for name in lines if name.startswith(b"shutwatch-")}
    assert ours == {SEALED.encode(), SIGNATURE.encode()}


async def test_a_seized_spool_yields_no_measurement_no_address_and_no_collector(
    tmp_path: Path,
) -> None:
    """Nor who the vantage is: in no byte of its files, free pages and write-ahead log included,
    while cycles wait with and without a date, after some were sent, and after others were
    refused."""
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        await one.spool.open()
        clock = AgentClock(one.time.machine)
        collector.orders = ORDERS
        collector.looks = (measurement("of a control", 300),)
        await one.fill(3, clock)
        kept = [seized(tmp_path)]
        collector.refusals.append(Reason.MALFORMED)
        async with one.courier(clock):
            await until_empty(one.spool)
            await until(lambda: one.ordered)
        assert one.known == list(collector.looks)
        one.allowed.clear()
        await one.fill(20, clock)
        kept.append(seized(tmp_path))
        await one.spool.close()
        kept.append(seized(tmp_path))
    (whole, *_) = collector.batches
    (report, *_) = whole.reports
    look = report.measurements[0]
    assert any(isinstance(seen, TcpObservation) for seen in look.observations)
    secrets = {
        "of a control",
        *one.put,
        *(VANTAGE, report.cycle, look.platform, look.endpoint, look.network, look.country),
        *(seen.address for seen in look.observations if isinstance(seen, TcpObservation)),
        *(NAME, "127.0.0.1", collector.url, one.setup.collector_key, one.setup.sealing_key),
    }
    assert len(secrets) > 70
    for files in kept:
        assert len(files) > 20_000
        found = [secret for secret in secrets if len(secret) > 2 and secret.encode() in files]
        assert found == []
    pieces = [body[at : at + 16] for body in collector.bodies.values() for at in (0, 40, 80)]
    assert not any(piece in files for files in kept for piece in (b"observations", *pieces))


def seized(folder: Path) -> bytes:
    """All bytes of the spool's files and of the stored orders, as they lie there."""
    files = [*folder.glob("spool.db*"), *folder.glob("orders*")]
    return b"".join(file.read_bytes() for file in files)


async def test_a_seized_agent_yields_nothing_after_wipe(tmp_path: Path) -> None:
    """Every file it had, held on to under another name by whoever images the disk, is overwritten:
    no byte of them tells of a measurement, an address, the vantage, its key or a collector."""
    folder, held = tmp_path / "agent", tmp_path / "held"
    folder.mkdir()
    held.mkdir()
    async with collecting(authority()) as (collector, _):
        one = world(folder, authority(), collector)
        await one.spool.open()
        clock = AgentClock(one.time.machine)
        collector.orders = ORDERS
        await one.fill(3, clock)
        async with one.courier(clock):
            await until(lambda: one.ordered)
        await one.fill(2, clock)
        await one.spool.close()
        (folder / "orders").rename(folder / "spool.db.settings")
        load_or_make(folder / "agent-key.pem")
        secret = f"{collector.url} {VANTAGE} telegram {one.setup.collector_key}"
        config = (
            f'[[vantage]]\nid = "{VANTAGE}"\n[agent]\ncollectors = ["{collector.url}"]\n'
            f'trust_anchors = ["authority.pem"]\n# {secret} and then the editor crashed: [['
        )
        for name in ("agent.toml", "agent.toml~", ".agent.toml.swp", "environment", "notes"):
            (folder / name).write_text(config)
    for file in folder.iterdir():
        (held / file.name).hardlink_to(file)
    before = b"".join(file.read_bytes() for file in held.iterdir())
    secrets = (VANTAGE, "telegram", NAME, one.setup.collector_key, "PRIVATE", "CERTIFICATE")
    assert [secret for secret in secrets if secret.encode() not in before] == []
    done = wipe(folder / "agent.toml")
    assert (done.failed, list(folder.iterdir())) == ((), [])
    after = b"".join(file.read_bytes() for file in held.iterdir())
    assert len(after) == len(before)
    assert [secret for secret in secrets if secret.encode() in after] == []
    assert b"SQLite" in before
    assert b"SQLite" not in after
