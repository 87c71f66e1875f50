"""The place of a value in a listing, so that another listing can continue after it.

It is made of the columns that order the listing, as text, and not of a number of rows: so rows that
arrive or are deleted meanwhile cause neither repeated nor missing rows.
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
    """The place of a stored value. Its first part is a time, except for availability."""
    match value:
        case Event():
            return (time_text(value.detected_at), value.country, value.id)
        case Verdict():
            return (
                *(time_text(value.judged_at), value.country, value.cycle, value.vantage),
                *(value.platform, value.function, value.endpoint),
            )
        case Measurement():
            return (time_text(value.started_at), value.country, value.id)
        case Availability():
            # With zeros, so that AS numbers as text sort as numbers do.
            return (
                *(value.country, value.platform, time_text(value.starts_at)),
                *(f"{value.asn or 0:010}", value.network),
            )
