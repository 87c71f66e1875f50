"""A country code as people write it, and which code they may have meant."""

import difflib
from collections.abc import Mapping
from functools import cache

from probes.catalog.countries import COUNTRIES

_ALSO_KNOWN_AS = {
    "UK": "GB",
    "ENGLAND": "GB",
    "GREAT BRITAIN": "GB",
    "USA": "US",
    "UAE": "AE",
    "TURKEY": "TR",
    "BURMA": "MM",
    "IVORY COAST": "CI",
    "CZECH REPUBLIC": "CZ",
    "SWAZILAND": "SZ",
    "CABO VERDE": "CV",
    "DRC": "CD",
    "BRASIL": "BR",
    "PALESTINE": "PS",
    "HONG KONG": "HK",
    "MACAO": "MO",
}
"""Other names and codes → code."""


def country_code(text: str) -> str:
    """`text` if it is a code. Raises ValueError whose text says what to write instead."""
    if text in COUNTRIES:
        return text
    if code := probable_code(text):
        raise ValueError(f'for {_names().get(code, code)} write "{code}"')
    raise ValueError('the two capital letters of the country where it is, as in "PK" or "BR"')


def probable_code(text: str) -> str:
    """The code of the country that `text` most likely means; empty for none."""
    text = text.strip().upper()
    codes = {code: code for code in COUNTRIES} | _ALSO_KNOWN_AS
    for code, name in _names().items():
        plain = name.upper().partition(" (")[0]
        codes |= {plain: code, plain.replace("&", "AND").replace("ST ", "SAINT "): code}
    if text in codes or len(text) <= 3:  # short codes are too similar to guess
        return codes.get(text, "")
    close = difflib.get_close_matches(text, codes, 1, 0.8)
    return codes[close[0]] if close else ""


@cache
def _names() -> Mapping[str, str]:
    """Code → name in English; none on an agent, which has no Babel."""
    try:
        from babel import Locale  # only a mistake needs it, and agents must stay small
    except ModuleNotFoundError:
        return {}

    territories = Locale("en", "GB").territories
    return {code: territories[code] for code in sorted(COUNTRIES) if code in territories}
