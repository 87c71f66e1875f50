"""STUN (RFC 5389): the question that every program asks before it makes a call.

A server answers a binding request over UDP with the address the request came from. That address is
the vantage's own. It is read to recognise a real answer, and dropped unless the caller asks for it.
"""

import secrets
from collections.abc import Callable
from enum import Enum, auto
from ipaddress import ip_address

from probes.failure_strings import unknown_failure
from probes.layers.app_answer import AppAnswer, ask_in_datagrams
from probes.sockets.failure_mapping import MalformedReplyError
from probes.sockets.network import Network

NOT_STUN = unknown_failure("not STUN")
REFUSED = unknown_failure("STUN error response")

_HEADER = 20
_MAGIC = (0x2112A442).to_bytes(4, "big")
_BINDING_REQUEST, _BINDING_SUCCESS, _BINDING_ERROR = 0x0001, 0x0101, 0x0111
_XOR_MAPPED_ADDRESS = 0x0020
_ADDRESS_LENGTHS = {0x01: 8, 0x02: 20}
"""Length of the attribute by the family in it."""


class Reply(Enum):
    SUCCESS = auto()
    ERROR = auto()
    """A STUN server refuses to answer."""
    FOREIGN = auto()
    """It does not answer this request."""


def encode_request(transaction: bytes) -> bytes:
    """A binding request without attributes; `transaction` has 12 bytes."""
    return _BINDING_REQUEST.to_bytes(2, "big") + bytes(2) + _MAGIC + transaction


def classify(data: bytes, transaction: bytes) -> Reply:
    """The kind of `data` for the request of that transaction. Never raises."""
    length = int.from_bytes(data[2:4], "big")
    ours = data[4:_HEADER] == _MAGIC + transaction
    if len(data) < _HEADER or not ours or length % 4 or _HEADER + length != len(data):
        return Reply.FOREIGN
    kind = int.from_bytes(data[:2], "big")
    if kind == _BINDING_ERROR:
        return Reply.ERROR
    mapped = kind == _BINDING_SUCCESS and _mapped(data[_HEADER:])
    return Reply.SUCCESS if mapped else Reply.FOREIGN


def mapped_address(data: bytes) -> str:
    """The address in a successful answer: where the request came from."""
    value = _mapped(data[_HEADER:])
    key = data[4:_HEADER]  # the magic number, then the transaction
    return str(ip_address(bytes(a ^ b for a, b in zip(value[4:], key, strict=False))))


def _mapped(attributes: bytes) -> bytes:
    """The value of a well-formed XOR-MAPPED-ADDRESS among them; empty when there is none."""
    at = 0
    while at + 4 <= len(attributes):
        kind = int.from_bytes(attributes[at : at + 2], "big")
        length = int.from_bytes(attributes[at + 2 : at + 4], "big")
        value = attributes[at + 4 : at + 4 + length]
        if len(value) < length:
            return b""
        if kind == _XOR_MAPPED_ADDRESS:
            return value if length > 1 and _ADDRESS_LENGTHS.get(value[1]) == length else b""
        at += 4 + (length + 3) // 4 * 4
    return b""


async def ask_binding(
    network: Network,
    address: str,
    port: int,
    *,
    timeout: float,  # noqa: ASYNC109 # spread over several tries
    on_local_address: Callable[[str], None],
    on_exit: Callable[[str], None] | None = None,
) -> AppAnswer:
    """Ask the server at an IP address, up to three times, within `timeout` seconds.

    `on_exit` gets the address that the server saw, which must not be kept, logged or shown. Never
    raises for network failures; may be cancelled at any point.
    """
    transaction = secrets.token_bytes(12)

    def read(data: bytes) -> str | None:
        reply = classify(data, transaction)
        if reply is Reply.FOREIGN:
            raise MalformedReplyError("no answer to this request")
        if reply is Reply.SUCCESS and on_exit is not None:
            on_exit(mapped_address(data))
        return None if reply is Reply.SUCCESS else REFUSED

    return await ask_in_datagrams(
        network,
        address,
        port,
        encode_request(transaction),
        read,
        otherwise=NOT_STUN,
        timeout=timeout,
        on_local_address=on_local_address,
    )
