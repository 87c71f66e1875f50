"""What the vantages learnt of their networks, kept for the next start of the program.

A provider's own cache of a platform looks like a forged answer once it died: that its certificate
verified before tells the two apart, and a program may be started anew in between.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from monitor.logs import logger
from monitor.measuring.probers import Probers
from probes.measure.prober import Prober
from storage.store import StorageError
from storage.values.verified_before import VerifiedBefore

log = logger(__name__)

EVERY = 3600.0
"""Seconds between two times that the same vantage's is kept: what verifies changes slowly."""

Keep = Callable[[VerifiedBefore], Awaitable[None]]
"""Keeps it in place of what it kept of the same vantage. May raise StorageError."""


class NetworkMemory:
    """Hands on what is to be kept."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._kept: dict[str, float] = {}
        """Vantage → when, by the loop's clock."""

    async def after_cycle(self, prober: Prober) -> None:
        """Keep what the prober of a vantage knows, unless that was done within the last hour."""
        now, name = asyncio.get_running_loop().time(), prober.vantage.id
        if now < self._kept.get(name, now - EVERY) + EVERY:
            return
        self._kept[name] = now
        try:
            await self._keep(
                VerifiedBefore(
                    vantage=name,
                    country=prober.vantage.country,
                    asn=prober.vantage.asn,
                    addresses=prober.verified_addresses.known,
                )
            )
        except StorageError as error:
            log.warning(
                "what the vantage knows of its network is not kept for the next start",
                vantage=name,
                reason=str(error),
            )


def restore(probers: Probers, kept: Iterable[VerifiedBefore]) -> None:
    """Let the vantages that are on the same networks still go on with it."""
    known = {(one.vantage, one.country, one.asn): one.addresses for one in kept}
    for prober in probers:
        point = prober.vantage
        prober.verified_addresses.restore(known.get((point.id, point.country, point.asn), {}))
