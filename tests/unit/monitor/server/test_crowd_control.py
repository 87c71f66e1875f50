"""Nobody blinds the monitor by its page: one attack each, on real sockets."""

import asyncio
import contextlib
import resource
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from monitor import descriptors
from monitor.config.settings import ServerSettings
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app, serve
from monitor.server.access import Access
from monitor.server.api.csv_download import AT_ONCE, Downloads
from monitor.server.api.problem import ProblemError
from monitor.server.connection_limits import LimitedConnection
from monitor.server.public_share import WAITING, PublicShare
from tests.prometheus import world
from tests.worlds.http_client import httpx
from tests.worlds.raw_request import answer_to

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET / HTTP/1.1\r\nHost: monitor\r\n\r\n"


async def plain(_: Request) -> Response:
    """A short answer."""
    return PlainTextResponse("here")


async def endless(_: Request) -> Response:
    """An answer without end."""

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    return StreamingResponse(chunks())


APP = Starlette(routes=[Route("/", plain), Route("/endless", endless)])


@asynccontextmanager
async def serving(
    kind: type[LimitedConnection] = LimitedConnection, app: Starlette = APP
) -> AsyncIterator[int]:
    """The port of a running server."""
    where: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(app, "127.0.0.1", 0, connection=kind, listening=lambda _, at: where.set_result(at))
    )
    try:
        yield await where
    finally:
        task.cancel()
        await asyncio.wait({task})


async def connect(port: int, source: str = "127.0.0.1", limit: int = 65536) -> Connection:
    """A connection from one of this machine's addresses."""
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0), limit=limit)


async def answer(port: int, source: str = "127.0.0.1", request: bytes = GET) -> bytes:
    """The status line of an answer; empty when the connection is closed without one."""
    reader, writer = await connect(port, source)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return (await reader.readline()).rstrip()
    finally:
        writer.close()


class Crowded(LimitedConnection):
    """Has room for twenty."""

    most_connections = 20


async def test_idle_connections_of_a_crowd_make_room() -> None:
    """The attack: open connections and say nothing. Somebody from elsewhere is answered, as often
    as they come, and keeps a connection that is idle; the crowd's oldest ones are closed."""
    async with serving(Crowded) as port:
        kept, keeper = await connect(port, "127.0.0.9")
        crowd = [await connect(port, f"127.0.1.{number % 3 + 1}") for number in range(60)]
        for _ in range(10):
            assert await answer(port) == b"HTTP/1.1 200 OK"
        gone = [reader for reader, _ in crowd if reader.at_eof()]
        assert len(gone) >= 30
        keeper.write(GET)
        assert (await kept.readline()).startswith(b"HTTP/1.1 200")
        for _, writer in (*crowd, (kept, keeper)):
            writer.close()


async def test_a_crowd_from_one_place_cannot_keep_others_out() -> None:
    """Nor somebody from the same place, while there are not too many of them."""
    async with serving(Crowded) as port:
        crowd = [await connect(port) for _ in range(40)]
        assert await answer(port) == b"HTTP/1.1 200 OK"
        for _, writer in crowd:
            writer.close()


@pytest.mark.parametrize(
    "begun", [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"GET /", b"GET / HTTP/1.1\r\nX"]
)
async def test_attack_a_header_without_end_is_cut_off(begun: bytes) -> None:
    """One header line that does not end was kept whole, and copied with each packet: 60 MB of it
    took 114 MB and 7 s of the processor, from one connection."""
    async with serving(LimitedConnection) as port:
        reader, writer = await connect(port)
        sent = len(begun)
        writer.write(begun)
        with contextlib.suppress(ConnectionError):
            while sent < 2_000_000 and not reader.at_eof():
                writer.write(b"y" * 8192)
                sent += 8192
                await writer.drain()
                await asyncio.sleep(0.001)
        assert sent < 1_000_000
        with contextlib.suppress(ConnectionError):
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        # Headers that a browser sends, in as many packets, are answered.
        reader, writer = await connect(port)
        for part in (GET[:9], GET[9:-2], b"Cookie: " + b"y" * 12_000, b"y" * 3000 + b"\r\n\r\n"):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


class Impatient(LimitedConnection):
    """Has little patience with readers who do not read."""

    stalled_after = 1.0
    most_connections = 10


async def test_readers_who_do_not_read_are_cut_off() -> None:
    """The attack: ask for much and read nothing. They are closed, and make room before that."""
    async with serving(Impatient) as port:
        stalled = [await connect(port, "127.0.1.1", limit=1024) for _ in range(10)]
        for _, writer in stalled:
            writer.write(GET.replace(b"/ ", b"/endless ", 1))
        await asyncio.sleep(6)
        assert await answer(port) == b"HTTP/1.1 200 OK"
        async with asyncio.timeout(20):
            for reader, _ in stalled:
                with contextlib.suppress(ConnectionResetError):
                    while await reader.read(65536):
                        pass
        for _, writer in stalled:
            writer.close()


class Hasty(LimitedConnection):
    """No answer may take longer than a moment."""

    longest_answer = 1.0


async def test_an_answer_may_not_take_for_ever() -> None:
    """Somebody who reads, but slowly, is cut off as well in the end."""
    async with serving(Hasty) as port:
        reader, writer = await connect(port)
        writer.write(GET.replace(b"/ ", b"/endless ", 1))
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError, asyncio.IncompleteReadError):
                while True:
                    await reader.readexactly(65536)
                    await asyncio.sleep(0.01)
        writer.close()


async def test_requests_come_one_after_the_other() -> None:
    """The attack: a thousand requests in one packet. The connection is closed at the second."""
    async with serving() as port:
        text = await answer_to(GET * 1000, port)
        assert text.count(b"HTTP/1.1 200") <= 1
        assert b"HTTP/1.1 400" in text


async def test_a_flood_of_one_connection_is_slowed() -> None:
    """Requests one after the other on many connections get the rate and no more."""

    class Slow(LimitedConnection):
        requests_per_second = 50.0

    async with serving(Slow) as port:
        answered = 0

        async def ask(source: str) -> None:
            nonlocal answered
            reader, writer = await connect(port, source)
            try:
                while True:
                    writer.write(GET)
                    await reader.readuntil(b"here")
                    answered += 1
            finally:
                writer.close()

        tasks = [asyncio.create_task(ask(f"127.0.1.{number + 1}")) for number in range(20)]
        await asyncio.sleep(3)
        before = asyncio.get_running_loop().time()
        assert await answer(port) == b"HTTP/1.1 200 OK"
        assert asyncio.get_running_loop().time() - before < 1.5
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert 50 <= answered <= 50 + 50 * 6


DESCRIPTORS = """
import asyncio, resource, socket, sys
from starlette.applications import Starlette
from monitor.descriptors import raise_limit
from monitor.logs import LogSettings, configure
from monitor.server import serve

resource.setrlimit(resource.RLIMIT_NOFILE, (200, 700))

async def main():
    configure(LogSettings(format="json"))
    raise_limit()
    where = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(Starlette(), "127.0.0.1", 0, listening=lambda _, port: where.set_result(port))
    )
    port = await where
    crowd = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CROWD, str(port), stdout=asyncio.subprocess.PIPE
    )
    await crowd.stdout.readline()
    kept = []
    while len(kept) < 480:
        kept.append(socket.socket())
    for one in kept:
        one.close()
    # Now nothing is left at all.
    with contextlib.suppress(OSError):
        while True:
            kept.append(socket.socket())
    await asyncio.sleep(3)
    crowd.kill()
    print("measured", resource.getrlimit(resource.RLIMIT_NOFILE))
    for one in kept:
        one.close()
    task.cancel()

asyncio.run(main())
"""
CROWD = """
import socket, sys, time
made = []
for number in range(600):
    one = socket.socket()
    one.bind((f"127.0.{1 + number % 12}.1", 0))
    one.setblocking(False)
    try:
        one.connect(("127.0.0.1", int(sys.argv[1])))
    except BlockingIOError:
        pass
    made.append(one)
time.sleep(1)
print("here", flush=True)
time.sleep(60)
"""


def test_descriptors_are_kept_for_measuring() -> None:
    """The attack: six hundred idle connections to a process with seven hundred descriptors. It
    opens 480 sockets meanwhile, and where nothing is left at all it logs that once, not two
    thousand times a second."""
    script = f"import contextlib\nCROWD = {CROWD!r}\n{textwrap.dedent(DESCRIPTORS)}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 700)),
    )
    assert done.stdout == "measured (700, 700)\n", done.stderr
    assert done.stderr.count("cannot accept connections") <= 1
    assert len(done.stderr) < 2000


def test_a_share_of_the_descriptors() -> None:
    """Two listeners never take those that are reserved, unless there are hardly any."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    share = descriptors.share()
    assert share >= descriptors.FEWEST
    assert share == descriptors.FEWEST or 2 * share + descriptors.RESERVED <= soft


def test_files_sent_at_once_are_bounded() -> None:
    """The attack: 600 downloads. Eight are begun, and as many of operators, whatever the public
    does; a place that is given back is free again."""
    downloads = Downloads()
    ends = [downloads.begin(public=True) for _ in range(AT_ONCE)]
    with pytest.raises(ProblemError) as refused:
        downloads.begin(public=True)
    assert refused.value.status == 503
    for _ in range(AT_ONCE):
        downloads.begin(public=False)
    ends[0]()
    ends[0]()
    downloads.begin(public=True)
    with pytest.raises(ProblemError):
        downloads.begin(public=True)


async def test_the_public_waits_and_operators_do_not() -> None:
    """The attack: pages that take long, from everywhere. Those who wait are bounded, and get the
    time to come back."""
    share = PublicShare()
    go_on = asyncio.Event()
    statuses: list[int] = []

    async def slow(scope: object, receive: object, send: object) -> None:
        await go_on.wait()
        await PlainTextResponse("late")(scope, receive, send)  # type: ignore[arg-type]

    async def ask() -> None:
        async def send(message: object) -> None:
            if message["type"] == "http.response.start":  # type: ignore[index]
                statuses.append(message["status"])  # type: ignore[index]

        await share.answer(slow, {"type": "http"}, None, send)  # type: ignore[arg-type]

    tasks = [asyncio.create_task(ask()) for _ in range(2 * WAITING)]
    await asyncio.sleep(0.05)
    assert statuses.count(503) == len(statuses) >= WAITING - 2
    go_on.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks)
    assert statuses.count(200) == 2 * WAITING - statuses.count(503) > 0


@pytest.mark.parametrize("path", ["/events/", "/api/v1", "/api/v1/events/", "/countries/PK/", "//"])
@pytest.mark.parametrize("public", [True, False])
async def test_nothing_redirects_to_the_host_that_a_request_names(
    path: str, *, public: bool
) -> None:
    """The attack: a cache or a reader who follows `Location` to another host."""
    publisher = world.publisher()
    access = Access(ServerSettings(public=public))
    app = create_app(publisher, create_registry(publisher), access=access)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
        found = await client.get(f"http://monitor{path}", headers={"host": "evil.example"})
    assert "location" not in found.headers
    assert "evil.example" not in found.text
    assert found.status_code == 404
