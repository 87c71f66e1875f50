"""One recomputation of verdicts and events from what is stored."""

from datetime import datetime

import msgspec


class Rejudging(msgspec.Struct, frozen=True, kw_only=True):
    """What was recomputed, when, by which version. Its results are stored in rows of their own."""

    id: str
    """UUIDv7."""
    at: datetime
    """UTC; when it began."""
    finished_at: datetime | None = None
    """UTC; None while it runs, and permanently when it was interrupted."""
    version: str
    """Of shutwatch."""
    rules_version: str
    since: datetime | None = None
    """Of the selection, as in `Selection`."""
    until: datetime | None = None
    country: str = ""
    platform: str = ""
    cycles: int = 0
    """Cycles judged again."""
    kept: int = 0
    """Platform verdicts that could not be recomputed, and were kept as they were."""
    verdicts: int = 0
    platforms: int = 0
    events: int = 0
    differing: int = 0
    """Endpoint verdicts that changed."""
