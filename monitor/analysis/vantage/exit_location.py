"""Whether a vantage's traffic leaves from where its configuration says.

A VPN left on, a roaming phone or a travelling laptop measures another place. Its results say
nothing about the configured network: they would accuse an innocent network or clear a guilty one.
"""

from collections.abc import Sequence

import msgspec

from probes.vantage import VantagePoint, VantageRole

UNKNOWN = "ZZ"
"""The country of a vantage without a configured one."""


class ExitLocation(msgspec.Struct, frozen=True):
    """Where an address is, from the operator's files; empty and 0 when unknown."""

    country: str = ""
    asn: int = 0


class ExitMismatch(msgspec.Struct, frozen=True):
    """How a vantage's exit differs from its configuration; empty where it agrees."""

    country: str = ""
    """The exit country, when it is not the configured one."""
    asn: int = 0
    """The exit network, when it is not the configured one."""


AS_CONFIGURED = ExitMismatch()


def compare(
    vantage: VantagePoint,
    place: ExitLocation,
    watched: frozenset[str],
    siblings: Sequence[Sequence[int]] = (),
) -> ExitMismatch:
    """How `place` differs from the vantage's configuration; unknown values never differ.

    A control may be anywhere except in a country of `watched`, where blocking is measured. Networks
    in one list of `siblings` count as one.
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
