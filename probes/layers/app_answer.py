"""One question in an application's own protocol, over a stream or in datagrams, and its result."""

import asyncio
from collections.abc import Callable

import msgspec

from probes.failure_strings import Failure
from probes.sockets.failure_mapping import (
    MalformedReplyError,
    PeerClosedError,
    ReportedError,
    failure_of,
)
from probes.sockets.network import Datagrams, Network, Stream

_TRIES = 3
"""Datagrams sent, spread evenly over the timeout."""


class AppAnswer(msgspec.Struct, frozen=True, kw_only=True):
    failure: str | None
    """None: a server that speaks the protocol answered."""
    first_reply: float
    """Seconds from the first question to the first byte of an answer; 0 when none came."""


async def ask_over_stream(
    stream: Stream,
    question: bytes,
    is_answer: Callable[[bytes], bool],
    *,
    otherwise: str,
    longest: int,
    timeout: float,  # noqa: ASYNC109 # a whole dialogue
) -> AppAnswer:
    """Ask over a connected stream, wait at most `timeout` seconds. Does not close it.

    `is_answer` gets all that was received so far: True for a whole answer, False for the beginning
    of one. It raises MalformedReplyError as soon as no answer begins like that, which becomes the
    failure `otherwise`: a peer that speaks another protocol may keep the connection open. It raises
    ReportedError where the server refuses in its own protocol. At most `longest` bytes are read at
    a time.

    Never raises for network failures; may be cancelled at any point.
    """
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    first_reply = 0.0
    received = b""
    failure: str | None = None
    try:
        async with asyncio.timeout(timeout):
            await stream.send(question)
            while not is_answer(received):
                data = await stream.receive(longest)
                if not data:
                    raise PeerClosedError
                first_reply = first_reply or loop.time() - asked_at
                received += data
    except MalformedReplyError:
        failure = otherwise
    except (OSError, PeerClosedError, ReportedError) as error:
        failure = failure_of(error)
    return AppAnswer(failure=failure, first_reply=first_reply)


async def ask_in_datagrams(
    network: Network,
    address: str,
    port: int,
    question: bytes,
    read: Callable[[bytes], str | None],
    *,
    otherwise: str,
    timeout: float,  # noqa: ASYNC109 # spread over several tries
    on_local_address: Callable[[str], None],
) -> AppAnswer:
    """Ask the server at an IP address, up to three times, within `timeout` seconds.

    `read` gets each datagram that comes: None for the right answer, the failure for another one
    from the same server. It raises MalformedReplyError for what answers no question of ours; where
    nothing else comes, that becomes the failure `otherwise`.

    Never raises for network failures; may be cancelled at any point.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[AppAnswer] = loop.create_future()
    failure = Failure.GENERIC_TIMEOUT.value
    started = loop.time()

    def settle(outcome: str | None, first_reply: float = 0.0) -> None:
        if not answered.done():
            answered.set_result(AppAnswer(failure=outcome, first_reply=first_reply))

    def received(data: bytes) -> None:
        nonlocal failure
        if answered.done():
            return
        try:
            outcome = read(data)
        except MalformedReplyError:
            # Whoever can send this can also drop the real answer: keep waiting for it.
            failure = otherwise
        else:
            settle(outcome, loop.time() - started)

    socket: Datagrams | None = None
    try:
        socket = network.open_datagrams(
            address, port, received, lambda error: settle(failure_of(error))
        )
        on_local_address(socket.local_address)
        for _ in range(_TRIES):
            socket.send(question)
            await asyncio.wait((answered,), timeout=timeout / _TRIES)
            if answered.done():
                break
    except OSError as error:
        settle(failure_of(error))
    finally:
        if socket is not None:
            socket.close()
    settle(failure)
    return answered.result()
