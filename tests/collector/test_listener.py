"""Where agents connect: TLS with a certificate that may change, connections that may not linger."""

import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import trustme

from monitor.collector.certificate import Certificate, certificate_of
from monitor.collector.connection_limits import AgentConnection
from monitor.config.settings import CollectorSettings
from monitor.server.serve import ListenError
from monitor.wire.answers import TIME
from tests.collector.world import collecting, good_request, settings
from tests.worlds.http_client import httpx
from tests.worlds.raw_request import answer_to


def write(made: trustme.LeafCert, folder: Path) -> tuple[str, str]:
    """Files of a certificate and its key, the key first, as programs that renew them do."""
    key, chain = folder / "key.pem", folder / "chain.pem"
    for file, text in (
        (key, made.private_key_pem.bytes()),
        (chain, b"".join(one.bytes() for one in made.cert_chain_pems)),
    ):
        partial = file.with_suffix(".new")
        partial.write_bytes(text)
        partial.replace(file)
    return str(chain), str(key)


def contents(file: str) -> bytes:
    """What is in it."""
    return Path(file).read_bytes()


def put(file: str, text: bytes | None) -> None:
    """Write it, or take it away."""
    if text is None:
        Path(file).unlink()
    else:
        Path(file).write_bytes(text)


def trusting(*authorities: trustme.CA) -> ssl.SSLContext:
    """A client that trusts these alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for one in authorities:
        one.configure_trust(context)
    return context


async def test_batches_are_taken_over_tls(tmp_path: Path) -> None:
    """With a certificate the listener speaks TLS, and nothing else."""
    authority = trustme.CA()
    certificate = Certificate(*write(authority.issue_cert("127.0.0.1"), tmp_path))
    async with collecting(trust=trusting(authority), certificate=certificate) as collector:
        assert (await collector.send(*good_request())).status_code == 200
        with pytest.raises(httpx.TransportError):
            await collector.client.get(collector.url.replace("https", "http") + TIME)


async def test_a_new_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    """New connections see it within moments of the files' change, old ones go on, and the kind of
    its key may be another."""
    old, new = trustme.CA(), trustme.CA()
    files = write(old.issue_cert("127.0.0.1"), tmp_path)
    certificate = Certificate(*files)
    before = certificate.expires_at
    async with collecting(trust=trusting(old), certificate=certificate) as collector:
        assert (await collector.client.get(TIME)).status_code == 200
        issued = new.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
        write(issued, tmp_path)
        async with httpx.AsyncClient(verify=trusting(new), trust_env=False) as client:
            async with asyncio.timeout(10):
                while True:
                    try:
                        response = await client.get(f"{collector.url}{TIME}")
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.05)
            assert response.status_code == 200
        assert (await collector.client.get(TIME)).status_code == 200
    assert certificate.expires_at >= before


async def test_files_that_do_not_fit_leave_the_old_certificate_in_use(tmp_path: Path) -> None:
    """Between the renewal of one file and of the other, or with rubbish in them, agents still get
    in; once both fit they are used."""
    authority = trustme.CA()
    chain, key = write(authority.issue_cert("127.0.0.1"), tmp_path)
    certificate = Certificate(chain, key)
    good = contents(key)
    for text in (authority.issue_cert("127.0.0.1").private_key_pem.bytes(), b"rubbish", b""):
        put(key, text)
        assert not certificate.renew()
        async with collecting(trust=trusting(authority), certificate=certificate) as collector:
            assert (await collector.client.get(TIME)).status_code == 200
    put(key, None)
    assert not certificate.renew()
    put(key, good)
    assert certificate.renew()
    assert certificate.expires_at > datetime.now(UTC)


def test_a_certificate_that_cannot_be_used_at_the_start_is_said_in_words(tmp_path: Path) -> None:
    """A collector does not start without the TLS it was told to speak."""
    chain, key = write(trustme.CA().issue_cert("127.0.0.1"), tmp_path)
    Path(key).unlink()
    told = CollectorSettings(certificate=chain, certificate_key=key)
    with pytest.raises(ListenError, match=r"chain\.pem cannot be used"):
        certificate_of(told)
    assert certificate_of(CollectorSettings()) is None


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = httpx.URL(url)
    return await asyncio.open_connection(where.host, where.port)


class Impatient(AgentConnection):
    """Waits for headers a third of a second."""

    headers_within = 0.3


async def test_a_connection_that_asks_nothing_is_closed() -> None:
    """Neither silence nor headers in drops hold a connection for longer than a moment; one that
    waits between two requests is closed as well."""
    async with collecting(connection=Impatient) as collector:
        loop = asyncio.get_running_loop()
        began = loop.time()
        silent, first = await _connect(collector.url)
        dripping, second = await _connect(collector.url)
        gone = asyncio.create_task(dripping.read())
        for character in b"GET /agent/v1/time HTTP/1.1\r\nhost: c\r\n":
            if gone.done():
                break
            second.write(bytes([character]))
            await asyncio.sleep(0.05)
        assert await silent.read() == b""
        # What is on its way when the connection is closed is answered with a reset.
        with contextlib.suppress(ConnectionResetError):
            assert await gone == b""
        assert loop.time() - began < 3
        for writer in (first, second):
            writer.close()
        assert (await collector.client.get(TIME)).status_code == 200


async def test_endless_headers_are_cut_off() -> None:
    """Headers that never end cost no more memory than a page of text."""
    async with collecting() as collector:
        port = httpx.URL(collector.url).port or 0
        lines = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 100) for number in range(400))
        for request in (
            b"GET /agent/v1/time HTTP/1.1\r\n" + lines,
            b"GET /%s HTTP/1.1\r\nhost: c\r\n\r\n" % (b"y" * 20_000),
        ):
            assert (await answer_to(request, port)).startswith(b"HTTP/1.1 400 ")


class Crowded(AgentConnection):
    """Has room for twenty."""

    most_connections = 20


async def test_idle_connections_make_room_for_agents() -> None:
    """Whoever opens connections and leaves them idle loses the oldest, and agents get in."""
    async with collecting(connection=Crowded) as collector:
        opened = [await _connect(collector.url) for _ in range(60)]
        assert (await collector.send(*good_request())).status_code == 200
        first = opened[0][0]
        assert await asyncio.wait_for(first.read(), 5) == b""
        for _, writer in opened:
            writer.close()


@pytest.mark.parametrize("behind_proxy", [False, True])
async def test_agents_behind_a_proxy_are_not_one_who_connects_too_often(behind_proxy: bool) -> None:
    """A proxy may open a connection for each request: they are as many as it has agents. Who
    connects so often without a proxy in between is sent away."""
    made = settings()
    used = msgspec.structs.replace(
        made, collector=msgspec.structs.replace(made.collector, behind_proxy=behind_proxy)
    )
    request = b"GET / HTTP/1.1\r\nhost: c\r\nconnection: close\r\n\r\n"
    turned_away = 0
    async with collecting(used=used) as collector:
        port = httpx.URL(collector.url).port or 0
        for _ in range(250):
            turned_away += not await answer_to(request, port)
    assert (turned_away == 0) == behind_proxy


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_stops_in_time_whoever_is_connected(tmp_path: Path) -> None:
    """Half a handshake and half a request do not hold the end up, and no descriptor is left."""
    authority = trustme.CA()
    certificate = Certificate(*write(authority.issue_cert("127.0.0.1"), tmp_path))
    before = open_descriptors()
    async with asyncio.timeout(6):
        async with collecting(trust=trusting(authority), certificate=certificate) as collector:
            assert (await collector.client.get(TIME)).status_code == 200
            where = httpx.URL(collector.url)
            half = socket.create_connection((where.host, where.port or 0))
            half.sendall(b"\x16\x03\x01")
            await asyncio.sleep(0.05)
    half.close()
    await asyncio.sleep(0.05)
    assert open_descriptors() <= before + 1


async def test_a_taken_port_is_said_in_words() -> None:
    """Two collectors cannot have one port, and the second says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises((ListenError, asyncio.CancelledError)):
            async with collecting(used=settings(listen=("127.0.0.1", port))):
                pass
