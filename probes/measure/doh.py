"""DNS over HTTPS (RFC 8484), asked as the vantage's own resolver.

The server is reached as the vantage reaches any site, through its proxy by name, else by way of the
machine's resolvers. Its certificate is verified, so nobody on the way can answer in its place: what
it says is its own, and never the word of the network the vantage is on.
"""

import base64

from probes.failure import Failure
from probes.layers.dns_message import Reply, decode_reply, encode_query
from probes.measure.fetch import fetch
from probes.measure.vantage_context import VantageContext
from probes.sockets.failure_mapping import MalformedReplyError

_MESSAGE_LIMIT = 64 * 1024


async def ask_doh(context: VantageContext, url: str, name: str, rtype: str) -> Reply | str:
    """The server's reply, or the failure string when it gave none.

    Raises ValueError for a name that DNS cannot carry; never for what the network does.
    """
    # RFC 8484 section 4.1: id 0, so that the same question is the same URL.
    query = base64.urlsafe_b64encode(encode_query(0, name, rtype)).rstrip(b"=").decode()
    answer = await fetch(context, f"{url}?dns={query}", limit=_MESSAGE_LIMIT)
    if answer is None:
        return Failure.DNS_NON_RECOVERABLE
    if answer.failure is not None:
        return answer.failure
    if answer.status != 200:
        return Failure.DNS_SERVER_MISBEHAVING
    try:
        return decode_reply(answer.body)
    except MalformedReplyError:
        return Failure.DNS_SERVER_MISBEHAVING
