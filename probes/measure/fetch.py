"""Verified HTTPS requests whose answers are used and whose course is no evidence.

They serve resolvers over HTTPS and servers that report the vantage's own address.
"""

import asyncio
from typing import Self
from urllib.parse import urlsplit

from probes.layers.http import exchange
from probes.layers.http_exchange import Exchange
from probes.measure.measurement_run import MeasurementRun
from probes.measure.vantage_context import VantageContext
from probes.sockets.network import ByteStream

_HTTPS_PORT = 443


async def fetch(context: VantageContext, url: str, *, limit: int) -> Exchange | None:
    """The answer to one request; the rest as for `Fetcher`."""
    async with Fetcher(context, limit=limit) as fetcher:
        return await fetcher.get(url)


class Fetcher:
    """Asks one server, reached as the vantage reaches any site. Use as a context manager.

    Answers are unscrubbed: they must not leave the probes. With `lasting`, requests share one
    connection, one after the other, for as long as the server keeps it open.
    """

    def __init__(self, context: VantageContext, *, limit: int, lasting: bool = False) -> None:
        """`limit`: bytes of a body that are read."""
        self._context = context
        self._limit = limit
        self._headers = {"Connection": "keep-alive"} if lasting else None
        self._run = MeasurementRun(context, asyncio.get_running_loop().time())
        self._turn = asyncio.Lock()
        self._kept: ByteStream | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._run.close()

    async def get(self, url: str) -> Exchange | None:
        """The answer of an https URL, which may be a redirect; None if the server is unreachable.
        Never raises for network failures; may be cancelled at any point."""
        async with self._turn:
            stream, self._kept = self._kept, None
            if stream is not None:
                answer = await self._exchange(stream, url)
                if answer.failure is None:
                    return answer
                # It may have closed in the meantime what it said it would keep.
            stream = await self._connect(url)
            return None if stream is None else await self._exchange(stream, url)

    async def _connect(self, url: str) -> ByteStream | None:
        parts = urlsplit(url)
        opened = await self._run.connections.open(
            parts.hostname or "", parts.port or _HTTPS_PORT, tls=True, verify=True
        )
        return None if opened is None else opened.stream

    async def _exchange(self, stream: ByteStream, url: str) -> Exchange:
        answer = await exchange(
            self._context.client,
            stream,
            url,
            user_agent=self._context.settings.user_agent,
            timeout=self._context.settings.http_timeout,
            body_limit=self._limit,
            more_headers=self._headers,
        )
        if answer.lasts:
            self._kept = stream
        return answer
