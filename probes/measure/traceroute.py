"""How far requests for a connection come on their way to an address that is silent.

A request that may pass fewer routers than there are ends at one of them, which says so. The last
router that reports the end of a request to the silent address is compared with the ways to
addresses that answer. Who the routers are and how many there are shows where the vantage is, so
nothing of that is kept but whether the router is the first one or further away, and how many other
ways go on from there through one and the same next router.
"""

import asyncio
from collections.abc import Sequence

from probes.measurement import FURTHER
from probes.sockets.network import Network

MOST_ROUTERS = 12
"""Far enough to leave the country's networks."""
COMPARED = 4
"""Ways to other addresses, each in a routed network of its own."""


async def way_to(network: Network, address: str, port: int, patience: float) -> tuple[str, ...]:
    """Who answered requests that may pass one router, two, and so on: a router, or the address
    itself; empty for nobody. Each is given up after `patience` seconds."""

    async def within(routers: int) -> str:
        try:
            async with asyncio.timeout(patience):
                return await network.connect_within(address, port, routers)
        except OSError:
            return ""

    return tuple(await asyncio.gather(*map(within, range(1, MOST_ROUTERS + 1))))


def shared(way: Sequence[str], others: Sequence[Sequence[str]]) -> tuple[int, int]:
    """How many routers away the last one on a way is, up to FURTHER, and how many of the others
    come by it and go on, all through the same next one; 0 where they part."""
    last = max((number for number, router in enumerate(way, 1) if router), default=0)
    if not last:
        return 0, 0
    beyond = [
        following
        for other in others
        if other[last - 1] == way[last - 1]
        and (following := next((router for router in other[last:] if router), ""))
    ]
    return min(last, FURTHER), len(beyond) if len(set(beyond)) == 1 else 0
