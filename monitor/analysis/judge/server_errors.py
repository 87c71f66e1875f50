"""Errors that a platform itself answers with, over a verified connection.

Nobody on the path can write such an answer, so no network is accused. It is no proof that the
platform works either: one that answers everybody with *internal server error* is down, and one that
does so here alone fails here, or withholds its service. Robot checks and statuses that say what is
wrong with the request (404, 405, …) are ordinary: many applications' hosts give these to a browser.
"""

from monitor.analysis.judge.cleartext_pages import challenge
from monitor.analysis.measurement_summary import Summary, hops, summarise
from probes.measurement import HttpObservation, Measurement

SERVER_ERROR = 500
"""HTTP statuses from this one on say that the server failed."""
FORBIDDEN = 403
_START_PAGE = "web"
"""The function whose first endpoint is a page for everybody."""


def server_error(summary: Summary) -> bool:
    """Whether the last answer is a server's error over verified TLS."""
    page = _verified_page(summary)
    return page is not None and page.status >= SERVER_ERROR


def forbidden(summary: Summary) -> bool:
    """Whether the last answer, over verified TLS, forbids the page and asks for no proof that the
    visitor is a person."""
    page = _verified_page(summary)
    return page is not None and page.status == FORBIDDEN


def errs(measurement: Measurement) -> bool:
    """Whether only a control tells what an answer over verified TLS means. That a start page is
    forbidden is unusual; that an application's host forbids what a browser asks for is not."""
    if not measurement.reached or not hops(measurement):
        return False
    summary = summarise(measurement)
    return server_error(summary) or (measurement.function == _START_PAGE and forbidden(summary))


def _verified_page(summary: Summary) -> HttpObservation | None:
    page = summary.last_hop.http
    if page is None or page.failure is not None or not page.url.startswith("https:"):
        return None
    return None if challenge(page) else page
