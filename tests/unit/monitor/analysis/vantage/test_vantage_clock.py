"""What Date headers tell about the vantage's own clock."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from monitor.analysis.vantage.clock import clock_skew
from probes.measurement import Measurement
from tests.worlds.build import START, http, look


def said(date: str, url: str = "https://x.com/") -> Measurement:
    """A look at START that got an answer half a second later, with this Date."""
    page = http(url=url, headers=(("server", "x"), ("date", date)), start=0.45)
    return look(page, reached=True)


def ahead(seconds: float, url: str = "https://x.com/") -> Measurement:
    """An answer as it comes when our clock is that far ahead."""
    return said(format_datetime(START - timedelta(seconds=seconds), usegmt=True), url=url)


@pytest.mark.parametrize("seconds", [-86400, -3, 0, 1, 120, 10**7])
def test_the_difference_is_told_in_whole_seconds(seconds: int) -> None:
    """Ahead is positive, behind negative, to the second."""
    assert clock_skew([ahead(seconds)]) == seconds


def test_each_host_has_one_vote_and_the_median_decides() -> None:
    """A server with a wrong clock changes nothing, however often it is asked."""
    wrong = [ahead(-5000, url="https://odd.example/")] * 9
    right = [ahead(s, url=f"https://host{s}.example/") for s in (2, 3)]
    assert clock_skew([*wrong, *right]) == 2


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Nov 2026 99:99:99 GMT", "0"])
def test_what_is_no_date_tells_nothing(date: str) -> None:
    """Nonsense in the header is passed over, never raised."""
    assert clock_skew([said(date)]) is None


def test_cleartext_counts_only_where_asked_for() -> None:
    """Anybody on the path can write a Date into cleartext."""
    forged = ahead(9000, url="http://captive.example/")
    assert clock_skew([forged]) is None
    assert clock_skew([forged], cleartext=True) == 9000
    assert clock_skew([ahead(0)], cleartext=True) is None


def test_a_page_whose_host_was_scrubbed_ends_nothing() -> None:
    """Attack: a network sends the reader on to a host that is named by an address, as in
    `http://1-2-3-4.portal.example/`. What is stored of that is no URL, and ended each cycle."""
    assert clock_skew([ahead(60, url="http://[address].portal.example/")], cleartext=True) == 60


def test_no_looks_tell_nothing() -> None:
    """Without an answer the skew is not known, and not zero."""
    assert clock_skew([]) is None
