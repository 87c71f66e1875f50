"""How wrong the vantage's clock is, from the Date headers of servers.

A Date header gives the time of the answer in whole seconds (RFC 9110 section 6.6.1), so one header
gives the difference to our clock to about a second plus half the exchange. Only answers over
verified TLS count: nobody on the path can write those. A wrong clock of our own breaks
verification, though. Then cleartext answers are used, and only to excuse failures
(`monitor.analysis.vantage.health`).

The median over hosts decides, so one wrong clock or cached Date changes nothing.
"""

from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from statistics import median

from monitor.analysis.measurement_summary import host_of
from probes.measurement import HttpObservation, Measurement

_BETWEEN_TICKS = 0.5
"""A Date is cut to whole seconds: on average the server's clock is this much further on."""


def clock_skew(measurements: Iterable[Measurement], *, cleartext: bool = False) -> float | None:
    """Whole seconds by which the vantage's clock is ahead (negative: behind); None when unknown.

    `cleartext` uses answers without encryption instead, which anybody could have forged.
    """
    found = skews(measurements, cleartext=cleartext)
    return float(round(median(found))) if found else None


def skews(measurements: Iterable[Measurement], *, cleartext: bool = False) -> list[float]:
    """The same in seconds, from each host."""
    scheme = "http" if cleartext else "https"
    by_host: dict[str, list[float]] = {}
    for measurement in measurements:
        for page in measurement.observations:
            if isinstance(page, HttpObservation) and page.url.startswith(f"{scheme}:"):
                ahead = _ahead(measurement, page)
                if ahead is not None:
                    by_host.setdefault(host_of(page.url), []).append(ahead)
    return [median(several) for several in by_host.values()]


def _ahead(measurement: Measurement, page: HttpObservation) -> float | None:
    """Seconds between our clock in the middle of an exchange and the server's Date."""
    date = next((value for name, value in page.headers if name == "date"), "")
    if not date or not page.status:
        return None
    try:
        theirs = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    ours = measurement.started_at.timestamp() + page.start + page.duration / 2
    return ours - theirs.timestamp() - _BETWEEN_TICKS
