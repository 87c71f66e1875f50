"""What a round of tests by strangers' probes takes at most: of a quota, and of our budget."""

from monitor.sources.terms import SourceKind

REFERENCES = 2
"""That a probe tests beside a platform, at most."""
BESIDE = 2
"""Tests by the probe of each country to compare with."""
PRICE = {SourceKind.GLOBALPING: 1, SourceKind.ATLAS: 20}
"""Points or credits of one test by one probe; of RIPE Atlas one that is made once, as far as is
known."""
_TESTS = {SourceKind.GLOBALPING: 3, SourceKind.ATLAS: 2}
"""By a probe in the country, references aside."""


def round_cost(kind: SourceKind, probes: int, beside: int, references: int = REFERENCES) -> int:
    """Points or credits of a round with so many probes in the country, and so many countries to
    compare with."""
    return PRICE[kind] * (probes * (_TESTS[kind] + references) + BESIDE * beside)
