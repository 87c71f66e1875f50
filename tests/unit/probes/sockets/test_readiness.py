"""Sockets on our own epoll object wake their tasks and leave nothing behind."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from probes.sockets.readiness import INPUT, WatchedSocket


def epolls() -> int:
    """How many epoll objects this process has."""
    names = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(str(path.readlink()))
    return names.count("anon_inode:[eventpoll]")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@contextlib.asynccontextmanager
async def connected(listener: socket.socket) -> AsyncIterator[tuple[WatchedSocket, socket.socket]]:
    """Both ends of one connection."""
    ours = WatchedSocket(socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.suppress(BlockingIOError):
        ours.connect(listener.getsockname())
    theirs, _ = listener.accept()
    with ours, theirs:
        await ours.connected()
        yield ours, theirs


async def test_nothing_is_left_when_the_last_socket_closes(listener: socket.socket) -> None:
    """The last socket closes the epoll object, and the next one makes another."""
    before = epolls()
    for _ in range(3):
        async with connected(listener) as (one, _), connected(listener) as (other, their_side):
            assert epolls() == before + 1
            one.close()
            one.close()
            their_side.send(b"still heard")
            assert await other.receive(100) == b"still heard"
        assert epolls() == before


async def test_a_wait_may_be_given_up_and_begun_again(listener: socket.socket) -> None:
    """Data that is there is read at once, and later data wakes the task."""
    async with connected(listener) as (ours, theirs):
        for text in (b"while nobody waits", b"a second time"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await ours.receive(10)
            theirs.send(text)
            await asyncio.sleep(0.01)
            assert await ours.receive(100) == text
        waiting = asyncio.create_task(ours.receive(100))
        await asyncio.sleep(0.01)
        theirs.send(b"woken")
        assert await waiting == b"woken"


async def test_part_of_what_came_leaves_the_rest_to_be_read(listener: socket.socket) -> None:
    """Data larger than one read is read completely, without a new edge."""
    async with connected(listener) as (ours, theirs):
        waiting = asyncio.create_task(ours.receive(1))
        await asyncio.sleep(0.01)
        theirs.send(b"abc")
        assert await waiting == b"a"
        async with asyncio.timeout(1):
            assert [await ours.receive(1) for _ in range(2)] == [b"b", b"c"]


async def test_a_bug_in_one_callback_takes_no_event_from_others() -> None:
    """A callback's exception reaches the loop's handler, and the other sockets are woken."""
    loop = asyncio.get_running_loop()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    heard: list[bytes] = []
    sockets = [WatchedSocket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]

    def listening(sock: WatchedSocket) -> None:
        sock.bind(("127.0.0.1", 0))

        def hear(_events: int) -> None:
            data = sock.recv(100)
            if data == b"1":
                raise LookupError(data)
            heard.append(data)

        sock.watch(INPUT, hear)

    for number, sock in enumerate(sockets):
        listening(sock)
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"%d" % number, sock.getsockname())
    await asyncio.sleep(0.05)
    for sock in sockets:
        sock.close()
    assert sorted(heard) == [b"0", b"2"]
    assert [type(context["exception"]) for context in reported] == [LookupError]


async def test_a_socket_closed_by_another_is_not_told() -> None:
    """A socket that an earlier callback closed gets no event."""
    pairs = [WatchedSocket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    told: list[int] = []

    def end_both(_events: int) -> None:
        told.append(1)
        for sock in pairs:
            sock.close()

    for sock in pairs:
        sock.bind(("127.0.0.1", 0))
        sock.watch(INPUT, end_both)
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", sock.getsockname())
    await asyncio.sleep(0.05)
    assert told == [1]


async def test_a_refused_connection_says_so(listener: socket.socket) -> None:
    """A failed connect raises the socket's error."""
    port = listener.getsockname()[1]
    listener.close()
    with WatchedSocket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        with pytest.raises(BlockingIOError):
            sock.connect(("127.0.0.1", port))
        with pytest.raises(ConnectionRefusedError):
            await sock.connected()


def test_a_loop_that_ended_in_mid_wait_troubles_no_other(listener: socket.socket) -> None:
    """A socket can be closed after its loop, and the next loop has its own epoll object."""

    async def leave_open() -> WatchedSocket:
        sock = WatchedSocket(socket.AF_INET, socket.SOCK_STREAM)
        with contextlib.suppress(BlockingIOError):
            sock.connect(listener.getsockname())
        await sock.connected()
        await asyncio.sleep(0)
        return sock

    left = asyncio.run(leave_open())
    listener.accept()[0].close()

    async def another() -> None:
        async with connected(listener) as (ours, theirs):
            theirs.send(b"x")
            assert await ours.receive(1) == b"x"

    asyncio.run(another())
    left.close()
    assert left.fileno() == -1
