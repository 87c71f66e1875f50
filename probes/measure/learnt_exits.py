"""The public addresses that a vantage's packets come from, known to its scrubber and nobody else.

Behind NAT no socket knows them: servers say them in passing. They stay in memory, and nothing here
can be printed, copied or stored.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NoReturn

from probes.layers.bogon import BogonList

MOST = 8
"""Addresses remembered: a line may change its address, and has one of each family at a time."""
_WORD = re.compile(r"[0-9A-Fa-f:.]{3,45}")
_ECHOES = frozenset({"x-client-ip", "x-real-ip", "x-remote-ip", "x-your-ip", "client-ip"})
"""Response headers in which servers say who asked."""


class LearntExits:
    """The addresses of one vantage, for `probes.layers.scrub.Scrubber` alone."""

    __slots__ = ("_addresses",)

    def __init__(self) -> None:
        self._addresses: dict[str, None] = {}

    def add(self, address: str) -> None:
        """Learn one; empty text is none."""
        if address:
            self._addresses.pop(address, None)
            self._addresses[address] = None
            for oldest in list(self._addresses)[:-MOST]:
                del self._addresses[oldest]

    def forget(self, address: str) -> None:
        """It is none of the vantage's."""
        self._addresses.pop(address, None)

    def learn_from(self, headers: Iterable[tuple[str, str]], bogons: BogonList) -> None:
        """Learn what a server that is known to be itself says in its headers."""
        for name, value in headers:
            if name.lower() in _ECHOES:
                found = {address for address in in_words(value) if address not in bogons}
                if len(found) == 1:
                    self.add(found.pop())

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._addresses))

    def __repr__(self) -> str:
        return f"<{len(self._addresses)} addresses>"

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a vantage's public addresses are neither copied nor stored")


def in_words(text: str) -> set[str]:
    """The addresses that are words of a text."""
    found = set()
    for word in _WORD.findall(text):
        address = _parsed(word) or _parsed(word.strip(".:"))
        if address is None:
            continue
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        found.add(str(mapped or address))
    return found


def _parsed(word: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(word)
    except ValueError:
        return None
