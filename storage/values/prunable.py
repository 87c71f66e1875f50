"""The tables whose old rows may be deleted. To name them needs no database library."""

from enum import StrEnum


class Prunable(StrEnum):
    """Tables in the order in which their old rows are deleted."""

    VERDICT = "verdict"
    PLATFORM_VERDICT = "platform_verdict"
    MEASUREMENT = "measurement"
    VANTAGE_HEALTH = "vantage_health"
    BATCH = "batch"
    LATEST_LOOK = "latest_look"
    REJUDGED_VERDICT = "rejudged_verdict"
    REJUDGED_PLATFORM = "rejudged_platform"
    REJUDGED_EVENT = "rejudged_event"
    REJUDGING = "rejudging"
    CYCLE = "cycle"
    AVAILABILITY_HOUR = "availability_hour"
    LOOK_HOUR = "look_hour"
    SOURCED_ROW = "sourced_row"


RAW = (
    Prunable.VERDICT,
    Prunable.PLATFORM_VERDICT,
    Prunable.MEASUREMENT,
    Prunable.VANTAGE_HEALTH,
    Prunable.BATCH,
    Prunable.LATEST_LOOK,
    Prunable.REJUDGED_VERDICT,
    Prunable.REJUDGED_PLATFORM,
    Prunable.REJUDGED_EVENT,
    Prunable.REJUDGING,
    Prunable.SOURCED_ROW,
)
"""Single measurements, verdicts and batches, those of others too; the newest look at an endpoint,
once that is old; and recomputations, each as a whole by its age."""
ARCHIVED_TABLES = (
    Prunable.VERDICT,
    Prunable.PLATFORM_VERDICT,
    Prunable.MEASUREMENT,
    Prunable.VANTAGE_HEALTH,
    Prunable.BATCH,
)
"""What moves to an archive, where there is one. Recomputations are deleted all the same: they can
be made again from these."""
HOURLY = (Prunable.CYCLE, Prunable.AVAILABILITY_HOUR, Prunable.LOOK_HOUR)
"""Hourly counts, and the cycles that keep them right."""
