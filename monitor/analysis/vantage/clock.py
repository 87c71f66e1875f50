"""How wrong is the vantage's clock? Told by the Date headers of servers that proved who they are.

A Date header says when the server answered, in whole seconds (RFC 9110 section 6.6.1), so one of
them tells the difference to our own clock to about a second, plus half the time the exchange took.
Only answers over verified TLS count: nobody on the path can write those. A wrong clock of our own
makes verification fail, though, and then cleartext answers are all there is; they are used for one
thing only, to excuse: `monitor.analysis.vantage.health` says when.

Every host has one vote and the median decides, so that one server with a wrong clock, or a cache
that hands out an old Date, changes nothing.
"""

from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from statistics import median
from urllib.parse import urlsplit

from probes.measurement import HttpObservation, Measurement

_BETWEEN_TICKS = 0.5
"""A Date is cut to whole seconds: on average the server's clock is this much further."""


def clock_skew(measurements: Iterable[Measurement], *, cleartext: bool = False) -> float | None:
    """Whole seconds by which the vantage's clock is ahead (negative: behind); None: not known.

    `cleartext` uses answers without encryption instead, which anybody could have forged.
    """
    scheme = "http" if cleartext else "https"
    by_host: dict[str, list[float]] = {}
    for measurement in measurements:
        for page in measurement.observations:
            if isinstance(page, HttpObservation) and page.url.startswith(f"{scheme}:"):
                ahead = _ahead(measurement, page)
                if ahead is not None:
                    by_host.setdefault(urlsplit(page.url).hostname or "", []).append(ahead)
    if not by_host:
        return None
    return float(round(median(median(several) for several in by_host.values())))


def _ahead(measurement: Measurement, page: HttpObservation) -> float | None:
    """Seconds between our clock in the middle of an exchange and what the server said."""
    said = next((value for name, value in page.headers if name == "date"), "")
    if not said or not page.status:
        return None
    try:
        theirs = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    ours = measurement.started_at.timestamp() + page.start + page.duration / 2
    return ours - theirs.timestamp() - _BETWEEN_TICKS
