"""DNS over HTTPS (RFC 8484).

The vantage reaches the server as it reaches any site. Its certificate is verified, so nobody on
the path can answer in its place.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from probes.failure_strings import Failure
from probes.layers.dns_message import Reply, decode_reply, encode_query
from probes.measure.fetch import Fetcher
from probes.measure.vantage_context import VantageContext
from probes.sockets.failure_mapping import MalformedReplyError, ReportedError

_MESSAGE_LIMIT = 64 * 1024


@asynccontextmanager
async def asking_doh(
    context: VantageContext, url: str
) -> AsyncIterator[Callable[[str, str], Awaitable[Reply]]]:
    """Name and record type → the server's reply. Questions share one connection, in turn.

    They raise ReportedError when no reply comes, ValueError for a name that DNS cannot carry.
    """
    async with Fetcher(context, limit=_MESSAGE_LIMIT, lasting=True) as server:
        yield partial(_reply, server, url)


async def _reply(server: Fetcher, url: str, name: str, rtype: str) -> Reply:
    # RFC 8484 section 4.1: id 0, so that the same question is the same URL.
    query = base64.urlsafe_b64encode(encode_query(0, name, rtype)).rstrip(b"=").decode()
    separator = "&" if "?" in url else "?"
    answer = await server.get(f"{url}{separator}dns={query}")
    if answer is None:
        raise ReportedError("the DoH server cannot be reached", Failure.DNS_NON_RECOVERABLE)
    if answer.failure is not None:
        raise ReportedError("the DoH server did not answer", answer.failure)
    try:
        if answer.status != 200:
            raise MalformedReplyError("the DoH server refused the question")
        reply = decode_reply(answer.body)
        if not reply.is_about(name, rtype):
            raise MalformedReplyError("the DoH server answered another question")
    except MalformedReplyError as error:
        raise ReportedError(str(error), Failure.DNS_SERVER_MISBEHAVING) from error
    return reply
