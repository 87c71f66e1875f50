"""The clock of the program; everything below the composition root gets it as an argument."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current moment, UTC."""
    return datetime.now(UTC)
