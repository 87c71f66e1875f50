"""One row of imported data, whatever file or service it came from."""

from datetime import datetime

import msgspec


class ReplayError(Exception):
    """Data that cannot be replayed; the message says where (file, line, column) and why."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one measurement, or one line of counts, says about one platform."""

    at: datetime
    """UTC; when it was measured, or when the counted time began."""
    until: datetime
    """UTC; the same moment, or when the counted time ended."""
    country: str
    """ISO 3166-1 alpha-2."""
    asn: int
    """AS number; 0 when the row is about the whole country."""
    network: str = ""
    platform: str
    part: str = ""
    """Empty for what the platform cannot be used without, else the role (media, api, links)."""
    test: str
    """The test that was run; tests differ in how often they fail without a cause."""
    total: int = 1
    """Measurements that tell something."""
    failed: float = 0.0
    """Of these, those that failed: counts, or for a single one how surely (0–1)."""
    confirmed: int = 0
    """Of these, those that met a known block page."""
    counts: bool = False
    """Whether it is a line of counts rather than one measurement."""
    methods: tuple[str, ...] = ()
    """`method.sub_method` of what failed, as far as that is known."""
    uid: str = ""
    """The source's own id of the measurement."""
