"""Where a value stands in a listing, so that another listing can go on behind it.

The place is made of the columns a listing is ordered by, as text. It says nothing about how many
come before, so what arrives or goes meanwhile neither repeats nor hides anything.
"""

from typing import Any

from monitor.analysis.events.event import Event
from monitor.analysis.verdict import Verdict
from probes.measurement import Measurement
from storage.values.rollup import Availability
from storage.values.times import time_text

LENGTHS: dict[type[Any], int] = {Event: 3, Verdict: 7, Measurement: 3, Availability: 5}
"""How many parts the place of a value of each kind has."""


def place_of(value: Event | Verdict | Measurement | Availability) -> tuple[str, ...]:
    """The place of a stored value; but for availability the first part is its time."""
    match value:
        case Event():
            return (time_text(value.detected_at), value.country, value.id)
        case Verdict():
            return (
                *(time_text(value.judged_at), value.country, value.cycle, value.vantage),
                *(value.platform, value.role, value.endpoint),
            )
        case Measurement():
            return (time_text(value.started_at), value.country, value.id)
        case Availability():
            # With zeros, so that AS numbers as text sort as numbers do.
            return (
                *(value.country, value.platform, time_text(value.starts_at)),
                *(f"{value.asn or 0:010}", value.network),
            )
