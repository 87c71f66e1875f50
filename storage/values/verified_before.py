"""What one vantage learnt of its network, for the next start of the program."""

from collections.abc import Mapping

import msgspec


class VerifiedBefore(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses at which certificates verified from one vantage."""

    vantage: str
    country: str
    asn: int
    """The network it was on; 0: unknown. Of another one this says nothing."""
    addresses: Mapping[str, tuple[str, ...]]
    """Name → addresses; names and addresses that verified last come last."""
