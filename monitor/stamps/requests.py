"""Asks time authorities and calendars, over HTTP.

They learn that this address asks, and a digest: nothing of what was measured.
"""

import asyncio
import secrets
from collections.abc import Sequence

from cryptography import x509

from monitor.stamps.opentimestamps import LARGEST, Pending, begun, completed, read_proof
from monitor.stamps.time_authority import StampError, read_reply, request_for
from probes.sockets.http_client import httpx
from probes.sockets.http_reason import why_no_answer

TIMEOUT = 20.0
"""Seconds for one answer."""
_QUERY = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
_CALENDAR = {"accept": "application/vnd.opentimestamps.v1"}
_NONCE = 16
"""Bytes."""


async def ask_authority(
    client: httpx.AsyncClient, url: str, data: bytes, roots: Sequence[x509.Certificate] = ()
) -> bytes:
    """A time authority's reply for `data`, checked; with `roots` it must lead to one of them.
    Raises StampError."""
    query, nonce = request_for(data)
    reply = await _answer(client, "POST", url, content=query, headers=_QUERY)
    if not read_reply(reply, data, roots, nonce).trusted and roots:
        raise StampError("its signature leads to none of the roots in `timestamps.roots`")
    return reply


async def ask_calendar(client: httpx.AsyncClient, url: str, data: bytes) -> bytes:
    """A pending proof of OpenTimestamps for `data`, by a calendar. Raises StampError."""
    beginning, digest = begun(data, secrets.token_bytes(_NONCE))
    rest = await _answer(client, "POST", f"{url}/digest", content=digest, headers=_CALENDAR)
    proof = beginning + rest
    read_proof(proof, data)
    return proof


async def complete(client: httpx.AsyncClient, proof: bytes, data: bytes, url: str) -> bytes | None:
    """The proof with what the calendar at `url` has by now; None where it has no more yet. Raises
    StampError."""
    found = read_proof(proof, data)
    for promise in found.pending:
        if promise.calendar == url and not found.blocks:
            return await _completed(client, proof, data, promise)
    return None


async def _completed(
    client: httpx.AsyncClient, proof: bytes, data: bytes, promise: Pending
) -> bytes | None:
    place = f"{promise.calendar}/timestamp/{promise.commitment.hex()}"
    try:
        rest = await _answer(client, "GET", place, headers=_CALENDAR)
    except StampError:
        return None  # it says 404 until it has one
    more = completed(proof, promise, rest)
    return more if read_proof(more, data).blocks else None


async def _answer(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    headers: dict[str, str],
    content: bytes = b"",
) -> bytes:
    body = b""
    try:
        async with (
            asyncio.timeout(TIMEOUT),
            client.stream(method, url, content=content, headers=headers) as answer,
        ):
            if not answer.is_success:
                raise StampError(f"HTTP status {answer.status_code}")
            async for chunk in answer.aiter_raw():  # often in cleartext: a bomb is not unpacked
                body += chunk
                if len(body) > LARGEST:
                    raise StampError("the answer is larger than any proof")
    except TimeoutError as error:
        raise StampError("no answer within the time limit") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise StampError(why_no_answer(error)) from error
    return body
