"""The public address a vantage's packets leave from, as a server that echoes it reports.

The address is the vantage's own. Only the caller and the scrubber get it, and nobody may store, log
or show it.
"""

from probes.layers.bogon import BogonList
from probes.layers.http_exchange import Exchange
from probes.measure.fetch import fetch
from probes.measure.learnt_exits import in_words
from probes.measure.vantage_context import VantageContext

_LIMIT = 16 * 1024
"""Bytes read of an answer, which is one line or a small document."""


async def ask_echo(context: VantageContext, url: str) -> str:
    """The public address that the server at `url` saw; empty when it did not answer with one.

    Never raises for network failures; may be cancelled at any point.
    """
    answer = await fetch(context, url, limit=_LIMIT)
    if answer is None or answer.failure or answer.status != 200:
        return ""
    found = exit_address(answer, context.bogons)
    context.exits.add(found)
    return found


def exit_address(answer: Exchange, bogons: BogonList) -> str:
    """The one public address in the body or, where the body has none, in the headers.

    Empty when there is none, or more than one: then it is unknown which of them is ours.
    """
    in_headers = "\n".join(value for _, value in answer.headers)
    for text in (answer.body.decode("utf-8", "replace"), in_headers):
        found = {address for address in in_words(text) if address not in bogons}
        if found:
            return found.pop() if len(found) == 1 else ""
    return ""
