"""WhatsApp's greeting to real servers on loopback, and arbitrary bytes as answers."""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from probes.failure_strings import Failure
from probes.layers.app_answer import AppAnswer
from probes.layers.whatsapp import (
    NOT_NOISE,
    PROLOGUE,
    ask_server_hello,
    encode_client_hello,
    is_server_hello,
)
from probes.sockets.failure_mapping import MalformedReplyError
from tests.lab import noise as lab_noise
from tests.worlds.loopback import Conversation, forever, network, serving

KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = X25519PrivateKey.from_private_bytes(bytes(range(1, 33))).public_key().public_bytes_raw()
Handler = Callable[[Conversation], Awaitable[None]]


def framed(message: bytes) -> bytes:
    """A message behind its length."""
    return len(message).to_bytes(3, "big") + message


def true_hello(client: bytes = PUBLIC, prologue: bytes = PROLOGUE) -> bytes:
    """What a chat server answers to the key of that client."""
    return framed(lab_noise.server_hello(prologue, client))


async def greeting(conversation: Conversation) -> bytes:
    """The key in a client's greeting; AssertionError if the greeting is wrong."""
    assert await conversation.exactly(4) == b"WA\x05\x03"
    assert await conversation.exactly(7) == bytes.fromhex("00002412220a20")
    return await conversation.exactly(32)


def answers(make: Callable[[bytes], bytes], then: Handler = forever) -> Handler:
    """A server that answers with what `make` returns for the client's key."""

    async def handle(conversation: Conversation) -> None:
        await conversation.send(make(await greeting(conversation)))
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
    for byte in true_hello(await greeting(conversation)):
        await conversation.send(bytes([byte]))
        await asyncio.sleep(0)
    await forever()


async def ask(handler: Handler, deadline: float = 30.0) -> AppAnswer:
    """Greet a server that behaves like `handler`."""
    async with serving(handler) as port:
        stream = await network().connect("127.0.0.1", port)
        try:
            return await ask_server_hello(stream, deadline)
        finally:
            stream.close()


def changed(at: int) -> Callable[[bytes], bytes]:
    """The right answer with one bit turned, `at` bytes from its end."""

    def make(client: bytes) -> bytes:
        hello = bytearray(true_hello(client))
        hello[-at] ^= 1
        return bytes(hello)

    return make


@pytest.mark.parametrize(
    "handler",
    [
        answers(true_hello),
        answers(lambda client: true_hello(client) + b"more"),
        answers(lambda client: framed(with_field(lab_noise.server_hello(PROLOGUE, client)))),
        drips,
    ],
    ids=["lab", "more behind", "a new field", "byte by byte"],
)
async def test_a_chat_server_is_known_by_its_keys(handler: Handler) -> None:
    """A server hello that was encrypted for our key is accepted."""
    answer = await ask(handler)
    assert answer.failure is None
    assert 0 < answer.first_reply < 5


def with_field(message: bytes) -> bytes:
    """A server hello with one more field, as a later version of the protocol might have."""
    body = message[3:] + b"\x22\x03new"
    assert message[0] == 0x1A
    return b"\x1a" + bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body


NOT_IT = {
    "made for another key": answers(lambda _: true_hello(OTHER)),
    "under another prologue": answers(lambda client: true_hello(client, b"WA\x06\x03")),
    "shape alone": answers(
        lambda _: framed(
            b"\x1a\xd8\x02\x0a\x20"
            + os.urandom(32)
            + b"\x12\x30"
            + os.urandom(48)
            + b"\x1a\x81\x02"
            + os.urandom(257)
        )
    ),
    "a key of small order": answers(
        lambda _: framed(
            b"\x1a\x66\x0a\x20" + bytes(32) + b"\x12\x30" + bytes(48) + b"\x1a\x10" + bytes(16)
        )
    ),
    "another static key": answers(changed(lab_noise.CERTIFICATES + 16 + 3 + 30)),
    "other certificates": answers(changed(40)),
    "echo": answers(lambda client: b"\x00\x00\x24\x12\x22\x0a\x20" + client),
    "nothing in it": answers(lambda _: framed(b"\x1a\x7e" + b"\x22\x7c" + bytes(124))),
    "empty frame": says(b"\x00\x00\x00"),
    "huge frame": says(b"\xff\xff\xff"),
    "http": says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    "tls alert": says(b"\x15\x03\x01\x00\x02\x02\x46"),
    "ssh": says(b"SSH-2.0-OpenSSH_9.2\r\n"),
}


@pytest.mark.parametrize("handler", NOT_IT.values(), ids=NOT_IT)
async def test_whatever_else_answers_is_told_at_once(handler: Handler) -> None:
    """A wrong answer ends the wait at once, although the server keeps the connection open."""
    started = time.monotonic()
    answer = await ask(handler)
    assert answer.failure == NOT_NOISE == "unknown_failure: not WhatsApp's Noise"
    assert answer.first_reply > 0
    assert time.monotonic() - started < 5


async def test_an_old_answer_is_no_new_one() -> None:
    """A box that repeats what a true server once said, byte by byte, is found out."""
    async with serving(answers(true_hello)) as port:
        stream = await network().connect("127.0.0.1", port)
        await stream.send(encode_client_hello(KEY))
        heard = await stream.receive(4096)
        stream.close()
    assert is_server_hello(heard, KEY)
    assert (await ask(says(heard))).failure == NOT_NOISE


async def test_no_two_greetings_have_the_same_key() -> None:
    """A key that stays would be a name for whoever watches the line."""
    keys: set[bytes] = set()

    async def remembers(conversation: Conversation) -> None:
        keys.add(await greeting(conversation))

    for _ in range(3):
        await ask(remembers)
    assert len(keys) == 3


async def test_nothing_follows_the_greeting() -> None:
    """No client finish: what would name an account is never sent, and the stream ends in a FIN."""
    rest: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def listens(conversation: Conversation) -> None:
        await conversation.send(true_hello(await greeting(conversation)))
        rest.set_result(await conversation.receive())

    async with serving(listens) as port:
        stream = await network().connect("127.0.0.1", port)
        assert (await ask_server_hello(stream, 30.0)).failure is None
        stream.close()
        assert await asyncio.wait_for(rest, 5) == b""


@pytest.mark.parametrize(
    ("handler", "failure", "heard"),
    [
        (forever, Failure.GENERIC_TIMEOUT, False),
        (hangs_up, Failure.EOF, False),
        (resets, Failure.CONNECTION_RESET, False),
        (answers(lambda client: true_hello(client)[:50]), Failure.GENERIC_TIMEOUT, True),
        (answers(lambda client: true_hello(client)[:50], ends), Failure.EOF, True),
        (answers(lambda client: true_hello(client)[:-1], ends), Failure.EOF, True),
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


TRUE = true_hello()


@given(st.binary(max_size=400), st.integers(0, len(TRUE)))
def test_any_bytes_are_classified(noise: bytes, cut: int) -> None:
    """Bytes are an answer, the beginning of one, or malformed; nothing else is ever raised, and
    nothing passes but the whole true answer."""
    for received in (noise, TRUE[:cut] + noise, framed(noise), framed(b"\x1a" + noise)):
        try:
            passed = is_server_hello(received, KEY)
        except MalformedReplyError:
            continue
        assert passed is received.startswith(TRUE)


@given(st.integers(0, 8 * len(TRUE) - 1))
def test_no_bit_of_an_answer_may_differ(bit: int) -> None:
    """One bit turned anywhere: malformed, or unfinished where the length grew."""
    forged = bytearray(TRUE)
    forged[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(MalformedReplyError):
        assert not is_server_hello(bytes(forged), KEY)


@given(st.lists(st.tuples(st.integers(1, 5), st.binary(max_size=60)), max_size=6))
def test_any_fields_are_read(fields: list[tuple[int, bytes]]) -> None:
    """Whatever parts a hello has, in any order and number, none passes that is not encrypted."""
    body = b"".join(bytes([number << 3 | 2, len(data)]) + data for number, data in fields)
    size = bytes([len(body) & 0x7F | 0x80, len(body) >> 7])
    with pytest.raises(MalformedReplyError):
        is_server_hello(framed(b"\x1a" + size + body), KEY)


@given(st.integers(1, len(TRUE)))
def test_an_answer_is_waited_for_to_its_last_byte(cut: int) -> None:
    """No prefix of the answer decides."""
    assert is_server_hello(TRUE, KEY)
    assert not is_server_hello(TRUE[:-cut], KEY)
