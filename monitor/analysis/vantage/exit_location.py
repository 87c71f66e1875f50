"""Does a vantage look from where it is said to? Its exit beside its configuration.

A VPN left on, a phone that roams or a laptop taken along makes a vantage look from elsewhere. What
it sees then is true of that place and says nothing, neither bad nor good, about the network it was
configured for: a block would be pinned on the innocent, and an "ok" would clear the guilty.
"""

from collections.abc import Sequence

import msgspec

from probes.vantage import VantagePoint, VantageRole

UNKNOWN = "ZZ"
"""The country of a vantage that has none configured."""


class ExitLocation(msgspec.Struct, frozen=True):
    """Where an address is, as the operator's files say; empty and 0 where they do not."""

    country: str = ""
    asn: int = 0


class ExitMismatch(msgspec.Struct, frozen=True):
    """In what a vantage's exit differs from what it should be; nothing where it agrees."""

    country: str = ""
    """Where it comes out, when that is not where it should be."""
    asn: int = 0
    """The network it comes out of, when that is not its own."""


AS_CONFIGURED = ExitMismatch()


def compare(
    vantage: VantagePoint,
    place: ExitLocation,
    watched: frozenset[str],
    siblings: Sequence[Sequence[int]] = (),
) -> ExitMismatch:
    """In what `place` differs from where the vantage should be; in nothing that is not known.

    A control may be anywhere but in a country of `watched`, where blocking is looked for. Networks
    of one list of `siblings` count as one.
    """
    known = place.country and vantage.country != UNKNOWN
    elsewhere = bool(known) and place.country != vantage.country
    if vantage.role is VantageRole.CONTROL:
        return (
            ExitMismatch(place.country) if elsewhere and place.country in watched else AS_CONFIGURED
        )
    other = bool(place.asn and vantage.asn) and not _same(place.asn, vantage.asn, siblings)
    return ExitMismatch(place.country if elsewhere else "", place.asn if other else 0)


def _same(one: int, other: int, siblings: Sequence[Sequence[int]]) -> bool:
    return one == other or any(one in family and other in family for family in siblings)
