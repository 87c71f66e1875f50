"""Reads an answer as far as one may be long: a few bytes may unpack to gigabytes."""

from monitor.sources.fault import SourceFault
from probes.sockets.http_client import httpx


async def bounded(response: httpx.Response, most: int) -> bytes:
    """The body of an answer that is streamed, unpacked, of `most` bytes at most. Raises
    SourceFault."""
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > most:
            raise SourceFault("malformed", f"an answer of more than {most} bytes")
        parts.append(part)
    return b"".join(parts)
