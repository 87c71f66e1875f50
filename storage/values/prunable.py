"""Of what old rows may be deleted. Apart from how, so that to name them needs no database."""

from enum import StrEnum


class Prunable(StrEnum):
    """Tables of which old rows may be deleted, in the order in which that is done."""

    VERDICT = "verdict"
    PLATFORM_VERDICT = "platform_verdict"
    MEASUREMENT = "measurement"
    VANTAGE_HEALTH = "vantage_health"
    BATCH = "batch"
    REJUDGED_VERDICT = "rejudged_verdict"
    REJUDGED_PLATFORM = "rejudged_platform"
    REJUDGED_EVENT = "rejudged_event"
    REJUDGING = "rejudging"
    CYCLE = "cycle"
    AVAILABILITY_HOUR = "availability_hour"
    LOOK_HOUR = "look_hour"


RAW = (
    Prunable.VERDICT,
    Prunable.PLATFORM_VERDICT,
    Prunable.MEASUREMENT,
    Prunable.VANTAGE_HEALTH,
    Prunable.BATCH,
    Prunable.REJUDGED_VERDICT,
    Prunable.REJUDGED_PLATFORM,
    Prunable.REJUDGED_EVENT,
    Prunable.REJUDGING,
)
"""What was seen and judged, look by look, and as agents handed it in; and recomputations, each as a
whole once it was made that long ago."""
HOURLY = (Prunable.CYCLE, Prunable.AVAILABILITY_HOUR, Prunable.LOOK_HOUR)
"""Counts by the hour, and what keeps them right."""
