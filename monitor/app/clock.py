"""The clock of the program. All modules below the composition root get it as an argument."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current moment, UTC."""
    return datetime.now(UTC)
