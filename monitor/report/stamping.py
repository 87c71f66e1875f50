"""Asks time authorities and calendars for stamps of a report."""

from collections.abc import Awaitable, Sequence

import msgspec
from cryptography import x509

from monitor.report.seals import OPENTIMESTAMPS, RFC3161
from monitor.stamps.opentimestamps import read_proof
from monitor.stamps.requests import ask_authority, ask_calendar, complete
from monitor.stamps.time_authority import StampError
from probes.sockets.http_client import httpx


class Stamped(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking."""

    seals: tuple[tuple[str, bytes], ...]
    """Kind and content of each new seal."""
    failed: tuple[str, ...]
    """A clause for each that gave none."""


async def stamps_for(
    manifest: bytes,
    *,
    authorities: Sequence[str] = (),
    calendars: Sequence[str] = (),
    roots: Sequence[x509.Certificate] = (),
    promises: Sequence[bytes] = (),
) -> Stamped:
    """Stamps of a report with that manifest. `promises` are the proofs of OpenTimestamps that it
    has: those of `calendars` are completed where possible instead of asked for again."""
    seals: list[tuple[str, bytes]] = []
    failed: list[str] = []

    async def add(kind: str, url: str, asking: Awaitable[bytes | None]) -> None:
        try:
            proof = await asking
        except StampError as error:
            failed.append(f"{url}: {error}")
            return
        if proof is None:
            failed.append(f"{url}: its promise is not in a block yet, try again in some hours")
        else:
            seals.append((kind, proof))

    async with httpx.AsyncClient() as client:
        for url in authorities:
            await add(RFC3161, url, ask_authority(client, url, manifest, roots))
        for url in calendars:
            held = [one for one in promises if _is_of(one, manifest, url)]
            if not held:
                await add(OPENTIMESTAMPS, url, ask_calendar(client, url, manifest))
            elif not any(read_proof(one, manifest).blocks for one in held):
                await add(OPENTIMESTAMPS, url, complete(client, held[-1], manifest, url))
    return Stamped(seals=tuple(seals), failed=tuple(failed))


def _is_of(proof: bytes, manifest: bytes, url: str) -> bool:
    return any(one.calendar == url for one in read_proof(proof, manifest).pending)
