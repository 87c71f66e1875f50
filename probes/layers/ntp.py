"""NTP (RFC 5905): what every machine asks over UDP, so nothing about the asker stands out.

A server's answer repeats the moment that the client named as its own. The client names random
bytes instead, so nobody learns its clock, and nobody who has not seen the question can answer it.
What the server says of the time is not used: only whether an answer comes.
"""

import secrets
from collections.abc import Callable

from probes.failure_strings import unknown_failure
from probes.layers.app_answer import AppAnswer, ask_in_datagrams
from probes.sockets.failure_mapping import MalformedReplyError
from probes.sockets.network import Network

NOT_NTP = unknown_failure("not NTP")

_VERSION_4_CLIENT = 0x23
_SERVER = 4
_LENGTH, _ORIGIN, _MOMENT = 48, 24, 8


def encode_request(moment: bytes) -> bytes:
    """A client's request that names no clock, and `moment`, 8 bytes, as when it was sent."""
    return bytes([_VERSION_4_CLIENT]).ljust(_LENGTH - _MOMENT, b"\0") + moment


def is_reply(data: bytes, moment: bytes) -> bool:
    """Whether `data` is a server's answer to the request of that moment. Never raises."""
    origin = data[_ORIGIN : _ORIGIN + _MOMENT]
    return len(data) >= _LENGTH and data[0] & 7 == _SERVER and origin == moment


async def ask_time(
    network: Network,
    address: str,
    port: int,
    *,
    timeout: float,  # noqa: ASYNC109 # spread over several tries
    on_local_address: Callable[[str], None],
) -> AppAnswer:
    """Ask the server at an IP address, up to three times, within `timeout` seconds.

    Never raises for network failures; may be cancelled at any point.
    """
    moment = secrets.token_bytes(_MOMENT)

    def read(data: bytes) -> None:
        if not is_reply(data, moment):
            raise MalformedReplyError("no answer to this request")

    return await ask_in_datagrams(
        network,
        address,
        port,
        encode_request(moment),
        read,
        otherwise=NOT_NTP,
        timeout=timeout,
        on_local_address=on_local_address,
    )
