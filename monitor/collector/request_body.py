"""Reads the body of a request, with a limit on its size and its time."""

import asyncio

from starlette.requests import Request

from monitor.wire.answers import Reason
from monitor.wire.refusal import BUSY_FOR, Refused, malformed

PATIENCE = 30.0
"""Seconds that any body may take."""
SLOWEST = 4096
"""Bytes per second that a body must reach beyond that: the speed of a 2G line."""


async def read_body(request: Request, most: int, patience: float = PATIENCE) -> bytes:
    """The body as it was sent. Refused when it is more than `most` bytes, at once if Content-Length
    says so, or when it does not arrive in time.

    Raises starlette.requests.ClientDisconnect when the sender is gone.
    """
    announced = _announced(request, most)
    body = bytearray()
    try:
        async with asyncio.timeout(patience + announced / SLOWEST):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise _oversize(most)
    except TimeoutError:
        raise Refused(
            Reason.BUSY, "the body came too slowly", retry_after=BUSY_FOR, closing=True
        ) from None
    return bytes(body)


def _announced(request: Request, most: int) -> int:
    written = request.headers.get("content-length")
    if written is None:
        return most
    if not written.isascii() or not written.isdigit():
        raise malformed("Content-Length is no number")
    if len(written) > len(str(most)) or int(written) > most:
        raise _oversize(most)
    return int(written)


def _oversize(most: int) -> Refused:
    # The connection stays open: a sender that is cut off in mid-body does not get the answer.
    return Refused(Reason.OVERSIZE, f"a body of more than {most} bytes")
