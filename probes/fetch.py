"""One verified HTTPS request on the side: how it went is nobody's evidence, only its answer counts.

For a resolver that is asked over HTTPS, and for a server that tells the vantage's own address.
"""

import asyncio
from urllib.parse import urlsplit

from probes.http import Exchange, exchange
from probes.look import Looker, LookUnderWay

_HTTPS_PORT = 443


async def fetch(looker: Looker, url: str, *, limit: int) -> Exchange | None:
    """What an https URL answers, as the vantage reaches any site; None when it was not reached.

    At most `limit` bytes of the body. Redirects are not followed. The
    answer is unscrubbed: it must not leave the probes. Never raises for what the network does; may
    be cancelled at any point.
    """
    parts = urlsplit(url)
    side = LookUnderWay(looker, asyncio.get_running_loop().time())
    try:
        opened = await side.open_verified(parts.hostname or "", parts.port or _HTTPS_PORT)
        if opened is None:
            return None
        return await exchange(
            looker.client,
            opened.stream,
            url,
            user_agent=looker.settings.user_agent,
            timeout=looker.settings.http_timeout,
            body_limit=limit,
            suspicious_limit=limit,
            suspicious_statuses=frozenset(),
            trusted=True,
        )
    finally:
        await side.close()
