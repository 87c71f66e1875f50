"""Who is kept from what, and how: the censors of the demonstration's networks. No sockets.

The servers ask it about every greeting and every question. It knows whose line that came over by
the address it came from.
"""

from enum import StrEnum

import msgspec

from monitor.demo.plan import BY_CLIENT, VICTIM, hosts_of

VICTIMS = frozenset(hosts_of(VICTIM))


class Means(StrEnum):
    """How one network keeps its users from the victim."""

    RESET = "reset"
    """The connection is cut once the name was said."""
    NXDOMAIN = "nxdomain"
    """The resolver says that there is no such name."""
    BLOCK_PAGE = "block_page"
    """The resolver gives the address of a page that says no."""


class Rule(msgspec.Struct, frozen=True):
    """One network does this."""

    network: str
    """Id, as in the plan."""
    means: Means


Rules = frozenset[Rule]
OPEN: Rules = frozenset()


class Censor:
    """The rules in force. Changing them takes effect with the next packet."""

    def __init__(self) -> None:
        self.rules = OPEN

    def cuts(self, client: str, name: str) -> bool:
        """Whether a connection from this address dies for having named this host."""
        return self._forbids(client, name, Means.RESET)

    def lie(self, client: str, name: str) -> Means | None:
        """How the resolver lies to this address about this name; None when it does not."""
        for means in (Means.NXDOMAIN, Means.BLOCK_PAGE):
            if self._forbids(client, name, means):
                return means
        return None

    def _forbids(self, client: str, name: str, means: Means) -> bool:
        network = BY_CLIENT.get(client)
        if network is None or name.lower().rstrip(".") not in VICTIMS:
            return False
        return Rule(network.id, means) in self.rules
