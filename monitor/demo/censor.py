"""The blocking rules of the demonstration's networks. No sockets.

The servers ask the censor about every ClientHello and every DNS query. The client's address tells
which network it comes from.
"""

from enum import StrEnum

import msgspec

from monitor.demo.plan import BY_CLIENT, VICTIM, hosts_of

VICTIMS = frozenset(hosts_of(VICTIM))


class Means(StrEnum):
    """How one network blocks the victim."""

    RESET = "reset"
    """The connection is reset when the name appears in it."""
    NXDOMAIN = "nxdomain"
    """The resolver says that the name does not exist."""
    BLOCK_PAGE = "block_page"
    """The resolver answers with the address of a block page."""


class Rule(msgspec.Struct, frozen=True):
    """One network blocks by one method."""

    network: str
    """Id of the network, as in the plan."""
    means: Means


Rules = frozenset[Rule]
OPEN: Rules = frozenset()


class Censor:
    """The rules in force. Changing them takes effect with the next packet."""

    def __init__(self) -> None:
        self.rules = OPEN

    def resets(self, client: str, name: str) -> bool:
        """Whether a connection from this address is reset for naming this host."""
        return self._blocks(client, name, Means.RESET)

    def false_answer(self, client: str, name: str) -> Means | None:
        """How the resolver blocks this name for this address; None when it answers truly."""
        for means in (Means.NXDOMAIN, Means.BLOCK_PAGE):
            if self._blocks(client, name, means):
                return means
        return None

    def _blocks(self, client: str, name: str, means: Means) -> bool:
        network = BY_CLIENT.get(client)
        if network is None or name.lower().rstrip(".") not in VICTIMS:
            return False
        return Rule(network.id, means) in self.rules
