"""The body of a request, read while it comes: bounded in size and in time."""

import asyncio

from starlette.requests import Request

from monitor.wire.answers import Reason
from monitor.wire.refusal import BUSY_FOR, Refused, malformed

PATIENCE = 30.0
"""Seconds that any body gets."""
SLOWEST = 4096
"""Bytes per second that are slow enough to be waited for: a line of the second generation."""


async def read_body(request: Request, most: int, patience: float = PATIENCE) -> bytes:
    """The body as it was sent. Refused when it is more than `most` bytes, which is known before
    they are there wherever the sender says how many it sends, or when it does not come in time.

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
    # The connection stays: a sender that is cut off in mid-body does not hear the answer.
    return Refused(Reason.OVERSIZE, f"a body of more than {most} bytes")
