"""One verified HTTPS request on the side: how it went is nobody's evidence, only its answer counts.

For a resolver that is asked over HTTPS, and for a server that tells the vantage's own address.
"""

import asyncio
from urllib.parse import urlsplit

from probes.layers.http import Exchange, exchange
from probes.measure.steps import LookUnderWay
from probes.measure.vantage_network import Standpoint

_HTTPS_PORT = 443


async def fetch(standpoint: Standpoint, url: str, *, limit: int) -> Exchange | None:
    """What an https URL answers, as the vantage reaches any site; None when it was not reached.

    At most `limit` bytes of the body. Redirects are not followed. The
    answer is unscrubbed: it must not leave the probes. Never raises for what the network does; may
    be cancelled at any point.
    """
    parts = urlsplit(url)
    side = LookUnderWay(standpoint, asyncio.get_running_loop().time())
    try:
        opened = await side.connections.open_verified(
            parts.hostname or "", parts.port or _HTTPS_PORT
        )
        if opened is None:
            return None
        return await exchange(
            standpoint.client,
            opened.stream,
            url,
            user_agent=standpoint.settings.user_agent,
            timeout=standpoint.settings.http_timeout,
            body_limit=limit,
            suspicious_limit=limit,
            suspicious_statuses=frozenset(),
            trusted=True,
        )
    finally:
        await side.close()
