"""Vantages that differ from the others of their network, and on how many platforms."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from monitor.analysis.events.agreement import outliers
from monitor.analysis.events.fold import EventBook
from monitor.analysis.events.settings import EventSettings


def outlier_platforms(
    book: EventBook, country: str, now: datetime, settings: EventSettings
) -> Mapping[str, int]:
    """Vantage → number of platforms of that country on which it is an outlier at `now` (UTC)."""
    return Counter(
        outlier.vantage
        for place, timeline in book.places.items()
        if place[0] == country
        for outlier in outliers(timeline.current.streams.values(), now, settings.detector)
    )
