"""Telegram's own protocol, up to its first question: is the peer a data centre?

MTProto over TCP in the abridged transport. A client without a key first asks `req_pq_multi` with a
random nonce, unencrypted. Only a server that speaks MTProto answers `resPQ` with that nonce and a
number to factor. A middlebox that completes every handshake, or answers in HTTP, does not.

    client  ef                                    "abridged from here on", once
            0a                                    length in words of four bytes
            00*8  message id  14 00 00 00         no key, id, length of what follows
            f1 8e 7e be  nonce                    req_pq_multi
    server  length, or 7f and three bytes of it
            00*8  message id  length
            63 24 16 05  nonce  server nonce  pq  fingerprints of keys
        or  01  53 fe ff ff                       -429: too many connections from one address
"""

import secrets
import time

from probes.failure_strings import TURNED_AWAY, unknown_failure
from probes.layers.app_answer import AppAnswer, ask_over_stream
from probes.sockets.failure_mapping import MalformedReplyError, ReportedError
from probes.sockets.network import Stream

NOT_MTPROTO = unknown_failure("not MTProto")

_ABRIDGED = b"\xef"
_REQ_PQ_MULTI = bytes.fromhex("f18e7ebe")
_RES_PQ = bytes.fromhex("63241605")
_WORD = 4
_LONG_FORM = 0x7F
"""Marks a length that follows in three bytes."""
_FLOOD = (-429).to_bytes(_WORD, "little", signed=True)
_NO_KEY = bytes(8)
_HEADER = 20
"""Key id, message id and length."""
_NONCE = 16
_PQ_AT = _HEADER + len(_RES_PQ) + 2 * _NONCE
_LONGEST_PQ = 8
_SHORTEST, _LONGEST = _PQ_AT + _WORD, 1024
"""Bytes of a whole answer; real ones have about 100."""


async def ask_res_pq(stream: Stream, timeout: float) -> AppAnswer:  # noqa: ASYNC109 # a whole dialogue
    """Ask over a connected stream, wait at most `timeout` seconds. Does not close it.

    Never raises for network failures; may be cancelled at any point.
    """
    nonce = secrets.token_bytes(_NONCE)
    return await ask_over_stream(
        stream,
        encode_req_pq(nonce, message_id=_message_id()),
        lambda received: is_res_pq(received, nonce),
        otherwise=NOT_MTPROTO,
        longest=_LONGEST,
        timeout=timeout,
    )


def _message_id() -> int:
    """The time in units of 2⁻³² seconds; a client's id must be divisible by four."""
    return (time.time_ns() << 32) // 10**9 & ~3


def encode_req_pq(nonce: bytes, *, message_id: int) -> bytes:
    """The first bytes of a connection: the mark of the transport and the question."""
    question = _REQ_PQ_MULTI + nonce
    message = (
        _NO_KEY + message_id.to_bytes(8, "little") + len(question).to_bytes(4, "little") + question
    )
    return _ABRIDGED + bytes([len(message) // _WORD]) + message


def is_res_pq(received: bytes, nonce: bytes) -> bool:
    """True for a whole `resPQ` to the question with `nonce`, False while it is incomplete.

    Raises MalformedReplyError as soon as no `resPQ` begins like `received`, because a peer that
    speaks another protocol may keep the connection open, and ReportedError where the data centre
    takes no more connections from this address.
    """
    frame = _unframed(received)
    if frame is None:
        return False
    length, message = frame
    if length == _WORD and _FLOOD.startswith(message):
        if message == _FLOOD:
            raise ReportedError("too many connections", TURNED_AWAY)
        return False
    if not _SHORTEST <= length <= _LONGEST:
        raise MalformedReplyError("a frame of another length")
    _require(message, 0, _NO_KEY)
    _require(message, _HEADER, _RES_PQ + nonce)
    if len(message) < length:
        return False
    length_inside = int.from_bytes(message[_HEADER - 4 : _HEADER], "little")
    size = message[_PQ_AT]
    pq = message[_PQ_AT + 1 : _PQ_AT + 1 + size]
    whole = _HEADER + length_inside <= length and _PQ_AT + 1 + size <= _HEADER + length_inside
    if not whole or not 0 < size <= _LONGEST_PQ or int.from_bytes(pq, "big") < 2:
        raise MalformedReplyError("nothing to factor")
    return True


def _unframed(received: bytes) -> tuple[int, bytes] | None:
    """Length in bytes of the frame, and the part of it received; None until the length is known."""
    if not received:
        return None
    if received[0] < _LONG_FORM:
        length = received[0] * _WORD
        return length, received[1 : 1 + length]
    if received[0] > _LONG_FORM:
        raise MalformedReplyError("no length")
    if len(received) < _WORD:
        return None
    length = int.from_bytes(received[1:_WORD], "little") * _WORD
    return length, received[_WORD : _WORD + length]


def _require(message: bytes, at: int, expected: bytes) -> None:
    """Raise unless the bytes received from position `at` on agree with `expected`."""
    here = message[at : at + len(expected)]
    if here != expected[: len(here)]:
        raise MalformedReplyError("other bytes")
