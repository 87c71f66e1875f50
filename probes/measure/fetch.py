"""One verified HTTPS request on the side: how it went is nobody's evidence, only its answer counts.

For a resolver that is asked over HTTPS, and for a server that tells the vantage's own address.
"""

import asyncio
from urllib.parse import urlsplit

from probes.layers.http import Exchange, exchange
from probes.measure.measurement_run import MeasurementRun
from probes.measure.vantage_context import VantageContext

_HTTPS_PORT = 443


async def fetch(context: VantageContext, url: str, *, limit: int) -> Exchange | None:
    """What an https URL answers, as the vantage reaches any site; None when it was not reached.

    At most `limit` bytes of the body. Redirects are not followed. The
    answer is unscrubbed: it must not leave the probes. Never raises for what the network does; may
    be cancelled at any point.
    """
    parts = urlsplit(url)
    side = MeasurementRun(context, asyncio.get_running_loop().time())
    try:
        opened = await side.connections.open_verified(
            parts.hostname or "", parts.port or _HTTPS_PORT
        )
        if opened is None:
            return None
        return await exchange(
            context.client,
            opened.stream,
            url,
            user_agent=context.settings.user_agent,
            timeout=context.settings.http_timeout,
            body_limit=limit,
            suspicious_limit=limit,
            suspicious_statuses=frozenset(),
            trusted=True,
        )
    finally:
        await side.close()
