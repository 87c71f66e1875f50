"""MTProto's first question to real servers on loopback, and arbitrary frames as answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.failure_strings import TURNED_AWAY, Failure
from probes.layers.app_answer import AppAnswer
from probes.layers.telegram import NOT_MTPROTO, ask_res_pq, encode_req_pq, is_res_pq
from probes.sockets.failure_mapping import MalformedReplyError, ReportedError
from tests.lab import chat
from tests.worlds.loopback import Conversation, forever, network, serving

NONCE = bytes(range(16))
PQ = bytes.fromhex("17ed48941a08f981")
Handler = Callable[[Conversation], Awaitable[None]]


def res_pq(nonce: bytes, *, pq: bytes = PQ, keys: int = 1) -> bytes:
    """A data centre's answer."""
    text = bytes([len(pq)]) + pq
    text += bytes(-len(text) % 4)
    vector = bytes.fromhex("15c4b51c") + keys.to_bytes(4, "little") + keys * b"fingerpr"
    said = bytes.fromhex("63241605") + nonce + b"s" * 16 + text + vector
    return bytes(8) + b"\x01" + bytes(7) + len(said).to_bytes(4, "little") + said


def framed(message: bytes, *, long: bool = False) -> bytes:
    """A message in the abridged transport."""
    words = len(message) // 4
    if long or words >= 0x7F:
        return b"\x7f" + words.to_bytes(3, "little") + message
    return bytes([words]) + message


async def question(conversation: Conversation) -> bytes:
    """The nonce in a client's question; AssertionError if the question is wrong."""
    assert await conversation.exactly(2) == b"\xef\x0a"
    message = await conversation.exactly(40)
    assert message[:8] == bytes(8)
    identity = int.from_bytes(message[8:16], "little")
    assert identity % 4 == 0
    assert abs((identity >> 32) - time.time()) < 5
    assert message[16:24] == bytes.fromhex("14000000f18e7ebe")
    return message[24:]


def answers(make: Callable[[bytes], bytes], then: Handler = forever) -> Handler:
    """A server that answers with what `make` returns for the nonce."""

    async def handle(conversation: Conversation) -> None:
        await conversation.send(make(await question(conversation)))
        await then(conversation)

    return handle


def says(data: bytes) -> Handler:
    """A server of another protocol, which keeps the connection open."""

    async def handle(conversation: Conversation) -> None:
        await conversation.receive()
        await conversation.send(data)
        await forever()

    return handle


async def hangs_up(conversation: Conversation) -> None:
    """A FIN in place of an answer."""
    await conversation.receive()


async def resets(conversation: Conversation) -> None:
    """An RST in place of an answer."""
    await conversation.receive()
    conversation.reset()


async def ends(conversation: Conversation) -> None:
    """A FIN after the answer."""
    conversation.end()
    await forever()


async def drips(conversation: Conversation) -> None:
    """The right answer byte by byte."""
    for byte in framed(res_pq(await question(conversation))):
        await conversation.send(bytes([byte]))
        await asyncio.sleep(0)
    await forever()


async def speaks(conversation: Conversation) -> None:
    """A server written by someone else."""
    server = chat.MtProto()
    while data := await conversation.receive():
        await conversation.send(server.feed(data) or b"")


async def ask(handler: Handler, deadline: float = 30.0) -> AppAnswer:
    """Ask a server that behaves like `handler`."""
    async with serving(handler) as port:
        stream = await network().connect("127.0.0.1", port)
        try:
            return await ask_res_pq(stream, deadline)
        finally:
            stream.close()


@pytest.mark.parametrize(
    "handler",
    [
        speaks,
        answers(lambda nonce: framed(res_pq(nonce))),
        answers(lambda nonce: framed(res_pq(nonce), long=True)),
        answers(lambda nonce: framed(res_pq(nonce, keys=70))),
        answers(lambda nonce: framed(res_pq(nonce, pq=b"\x0f"))),
        answers(lambda nonce: framed(res_pq(nonce)) + b"more"),
        drips,
    ],
    ids=["lab", "short", "long length", "many keys", "small pq", "more behind", "byte by byte"],
)
async def test_a_data_centre_is_known_by_its_answer(handler: Handler) -> None:
    """A frame of either form with our nonce and a number to factor is accepted."""
    answer = await ask(handler)
    assert answer.failure is None
    assert 0 < answer.first_reply < 5


NOT_IT = {
    "another nonce": answers(lambda _: framed(res_pq(NONCE))),
    "turned nonce": answers(lambda nonce: framed(res_pq(nonce[::-1]))),
    "no pq": answers(lambda nonce: framed(res_pq(nonce, pq=b""))),
    "nothing to factor": answers(lambda nonce: framed(res_pq(nonce, pq=b"\x01"))),
    "too long a pq": answers(lambda nonce: framed(res_pq(nonce, pq=b"123456789"))),
    "no frame": answers(res_pq),
    "echo": answers(lambda nonce: encode_req_pq(nonce, message_id=4)[1:]),
    "transport error": answers(lambda _: b"\x01" + (2**32 - 404).to_bytes(4, "little")),
    "http": says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    "tls alert": says(b"\x15\x03\x01\x00\x02\x02\x46"),
    "ssh": says(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "empty frame": says(b"\x00"),
    "no length": says(b"\xff"),
    "huge frame": says(b"\x7f\xff\xff\xff"),
}


@pytest.mark.parametrize("handler", NOT_IT.values(), ids=NOT_IT)
async def test_whatever_else_answers_is_told_at_once(handler: Handler) -> None:
    """A wrong answer ends the wait at once, although the server keeps the connection open."""
    started = time.monotonic()
    answer = await ask(handler)
    assert answer.failure == NOT_MTPROTO == "unknown_failure: not MTProto"
    assert answer.first_reply > 0
    assert time.monotonic() - started < 5


FLOOD = b"\x01" + (2**32 - 429).to_bytes(4, "little")


async def drips_flood(conversation: Conversation) -> None:
    """A refusal byte by byte."""
    await question(conversation)
    for byte in FLOOD:
        await conversation.send(bytes([byte]))
        await asyncio.sleep(0.01)
    await forever()


@pytest.mark.parametrize("handler", [answers(lambda _: FLOOD), drips_flood])
async def test_a_data_centre_that_takes_no_more_connections_is_no_middlebox(
    handler: Handler,
) -> None:
    """A carrier may give thousands of people one address, which asks a data centre too often."""
    answer = await ask(handler)
    assert answer.failure == TURNED_AWAY == "unknown_failure: MTProto transport flood"
    assert answer.first_reply > 0


@pytest.mark.parametrize(
    ("handler", "failure", "heard"),
    [
        (forever, Failure.GENERIC_TIMEOUT, False),
        (hangs_up, Failure.EOF, False),
        (resets, Failure.CONNECTION_RESET, False),
        (answers(lambda nonce: framed(res_pq(nonce))[:50]), Failure.GENERIC_TIMEOUT, True),
        (answers(lambda nonce: framed(res_pq(nonce))[:50], ends), Failure.EOF, True),
        (answers(lambda nonce: framed(res_pq(nonce))[:-1], ends), Failure.EOF, True),
    ],
    ids=["silence", "fin", "rst", "half, then silence", "half, then fin", "all but one byte"],
)
async def test_what_breaks_the_dialogue_is_told_apart(
    handler: Handler, failure: str, *, heard: bool
) -> None:
    """Silence, FIN and RST keep their failures, and the time of the first byte is on record."""
    answer = await ask(handler, 0.3)
    assert answer.failure == failure
    assert bool(answer.first_reply) is heard


@given(st.binary(max_size=200), st.integers(0, 200))
def test_only_the_answer_passes(noise: bytes, cut: int) -> None:
    """Neither random bytes nor a changed answer is accepted."""
    true = framed(res_pq(NONCE))
    cut = min(cut, len(true))
    forged = true[:cut] + noise
    for received in (noise, forged):
        try:
            passed = is_res_pq(received, NONCE)
        except (MalformedReplyError, ReportedError):
            continue
        assert not passed or NONCE in received


@given(st.integers(1, 200))
def test_an_answer_is_waited_for_to_its_last_byte(cut: int) -> None:
    """No prefix of the answer decides."""
    for true in (framed(res_pq(NONCE)), framed(res_pq(NONCE), long=True)):
        assert is_res_pq(true, NONCE)
        assert not is_res_pq(true[: -min(cut, len(true))], NONCE)
