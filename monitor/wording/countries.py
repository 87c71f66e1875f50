"""Names of countries: those of the Unicode CLDR, which Babel has in every language."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from monitor.wording.languages import N_

if TYPE_CHECKING:
    from babel import Locale

INVENTED: Mapping[str, str] = {
    "XD": N_("Demoland (invented)"),
    "XE": N_("Elsewhere (invented)"),
}
"""Codes that ISO 3166-1 leaves to its users, for demonstrations that accuse no real country."""


def country_name(locale: "Locale", code: str) -> str:
    """The name in that language (of an invented country: its message); empty when there is none."""
    return str(locale.territories.get(code) or INVENTED.get(code, ""))
