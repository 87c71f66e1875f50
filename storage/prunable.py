"""Of what old rows may be deleted. Apart from how, so that to name them needs no database."""

from enum import StrEnum


class Prunable(StrEnum):
    """Tables of which old rows may be deleted, in the order in which that is done."""

    VERDICT = "verdict"
    PLATFORM_VERDICT = "platform_verdict"
    MEASUREMENT = "measurement"
    VANTAGE_HEALTH = "vantage_health"
    CYCLE = "cycle"
    AVAILABILITY_HOUR = "availability_hour"


RAW = (
    Prunable.VERDICT,
    Prunable.PLATFORM_VERDICT,
    Prunable.MEASUREMENT,
    Prunable.VANTAGE_HEALTH,
)
"""What was seen and judged, look by look."""
HOURLY = (Prunable.CYCLE, Prunable.AVAILABILITY_HOUR)
"""Counts by the hour, and what keeps them right."""
