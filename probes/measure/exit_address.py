"""The public address a vantage's packets leave from, as a server that echoes it reports.

The address is the vantage's own. Only the caller gets it, and nobody may keep, log or show it.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from probes.layers.bogon import BogonList
from probes.layers.http import Exchange
from probes.measure.fetch import fetch
from probes.measure.vantage_context import VantageContext

_LIMIT = 16 * 1024
"""Bytes read of an answer, which is one line or a small document."""
_WORD = re.compile(r"[0-9A-Fa-f:.]{3,45}")


async def ask_echo(context: VantageContext, url: str) -> str:
    """The public address that the server at `url` saw; empty when it did not answer with one.

    Never raises for network failures; may be cancelled at any point.
    """
    answer = await fetch(context, url, limit=_LIMIT)
    if answer is None or answer.failure or answer.status != 200:
        return ""
    return exit_address(answer, context.bogons)


def exit_address(answer: Exchange, bogons: BogonList) -> str:
    """The one public address in the body or, where the body has none, in the headers.

    Empty when there is none, or more than one: then it is unknown which of them is ours.
    """
    in_headers = "\n".join(value for _, value in answer.headers)
    for text in (answer.body.decode("utf-8", "replace"), in_headers):
        found = {address for address in _addresses(text) if address not in bogons}
        if found:
            return found.pop() if len(found) == 1 else ""
    return ""


def _parsed(word: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(word)
    except ValueError:
        return None


def _addresses(text: str) -> set[str]:
    found = set()
    for word in _WORD.findall(text):
        address = _parsed(word) or _parsed(word.strip(".:"))
        if address is None:
            continue
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        found.add(str(mapped or address))
    return found
