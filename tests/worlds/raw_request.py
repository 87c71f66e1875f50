"""Bytes sent to a listener as they are, and whatever it answers before it hangs up."""

import asyncio
import contextlib
import socket


def _exchange(host: str, port: int, request: bytes) -> bytes:
    got = b""
    with socket.create_connection((host, port), 10) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                got += part
    return got


async def answer_to(request: bytes, port: int, host: str = "127.0.0.1") -> bytes:
    """All that the listener sends until it closes or resets the connection.

    A listener that hangs up on bytes it did not read resets the connection. A socket still hands
    out what came before the reset; a stream of asyncio may drop it.
    """
    return await asyncio.to_thread(_exchange, host, port, request)
