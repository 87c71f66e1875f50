"""One row of imported data, from any file or service."""

from datetime import datetime

import msgspec


class ReplayError(Exception):
    """Data that cannot be replayed; the message gives position (file, line, column) and reason."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement, or one line of counts, of one platform."""

    at: datetime
    """UTC; when it was measured, or when the counted interval began."""
    until: datetime
    """UTC; the same moment, or when the counted interval ended."""
    country: str
    """ISO 3166-1 alpha-2."""
    asn: int
    """AS number; 0 for an unknown network, or for `nationwide` counts."""
    network: str = ""
    platform: str
    part: str = ""
    """Empty for core functions, else the function (media, api, links)."""
    test: str
    """The test; tests differ in how often they fail without a cause."""
    total: int = 1
    """Measurements with a result."""
    failed: float = 0.0
    """Of these, those that failed: a count, or for a single measurement how surely (0–1)."""
    confirmed: int = 0
    """Of these, those with a known block page."""
    counts: bool = False
    """A line of counts, not one measurement."""
    nationwide: bool = False
    """Of all networks of the country together."""
    interval: bool = False
    """It stands for an hour, a day or longer: counts, and scores of several measurements."""
    hours: tuple["Row", ...] = ()
    """The counts of hours, oldest first, of which this one is the sum."""
    methods: tuple[str, ...] = ()
    """`method.sub_method` of the failures, if known."""
    version: str = ""
    """Of the test and the program that ran it, where the source names them."""
    uid: str = ""
    """The source's id of the measurement."""

    @property
    def network_without_number(self) -> str:
        """What stands for the AS number where there is none."""
        if self.asn:
            return ""
        return "all networks" if self.nationwide else "unknown network"
