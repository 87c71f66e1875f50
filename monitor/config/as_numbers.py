"""AS numbers, and what share of a country's people each has."""

import re

from monitor.config.country_code import country_code
from monitor.config.toml_node import (
    Node,
    named,
    number,
    whole,
)

LARGEST_ASN = 2**32 - 1


def as_number(node: Node) -> int:
    """AS number; 0 when it is not known."""
    written = node.raw if isinstance(node.raw, str) else ""
    number = re.fullmatch(r"(?:ASN?)?\s*(\d{1,10})", written, re.IGNORECASE | re.ASCII)
    if number:
        raise node.fail(f"the number alone, without quotation marks: asn = {number[1]}")
    return whole(0, LARGEST_ASN)(node)


def _user_shares_of(country: str, node: Node) -> dict[int, float]:
    try:
        country_code(country)
    except ValueError as error:
        raise node.fail(f"shares.PK = {{ 17557 = 0.3 }}: {error.args[0]}") from None
    shares = named(_user_share)(node)
    if sum(shares.values()) > 1.0 + 1e-9:
        raise node.fail("shares of one country's users, whose sum is at most 1")
    return {int(asn): share for asn, share in shares.items()}


def _user_share(asn: str, node: Node) -> float:
    if not asn.isascii() or not asn.isdigit():
        raise node.fail("the AS number alone, as in { 17557 = 0.3 }", wrong="is not a network")
    return number(0, 1)(node)


user_shares = named(_user_shares_of)
"""Country → AS number → its share of the country's users."""
