"""One verified HTTPS request whose answer is used and whose course is no evidence.

It serves resolvers over HTTPS and servers that report the vantage's own address.
"""

import asyncio
from urllib.parse import urlsplit

from probes.layers.http import exchange
from probes.layers.http_exchange import Exchange
from probes.measure.measurement_run import MeasurementRun
from probes.measure.vantage_context import VantageContext

_HTTPS_PORT = 443


async def fetch(context: VantageContext, url: str, *, limit: int) -> Exchange | None:
    """The answer of an https URL, reached as the vantage reaches any site; None if unreachable.

    Reads at most `limit` bytes of the body and follows no redirect. The answer is unscrubbed: it
    must not leave the probes. Never raises for network failures; may be cancelled at any point.
    """
    parts = urlsplit(url)
    run = MeasurementRun(context, asyncio.get_running_loop().time())
    try:
        opened = await run.connections.open(
            parts.hostname or "", parts.port or _HTTPS_PORT, tls=True, verify=True
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
        )
    finally:
        await run.close()
