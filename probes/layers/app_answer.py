"""One question in an application's own protocol over a stream, and its result."""

import asyncio
from collections.abc import Callable

import msgspec

from probes.sockets.failure_mapping import MalformedReplyError, PeerClosedError, failure_of
from probes.sockets.network import Stream


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
    failure `otherwise`: a peer that speaks another protocol may keep the connection open. At most
    `longest` bytes are read at a time.

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
    except (OSError, PeerClosedError) as error:
        failure = failure_of(error)
    return AppAnswer(failure=failure, first_reply=first_reply)
