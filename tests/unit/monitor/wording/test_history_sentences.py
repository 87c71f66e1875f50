"""Sentences about the past of a platform: no share is rounded up, and no day is one too many."""

from datetime import datetime

import pytest

from monitor.wording.history import axis_ends, covered, failing, known_and_reachable, stretch
from monitor.wording.words import words_in


@pytest.mark.parametrize(
    ("reachable", "known", "in_part", "said"),
    [
        (1.0, 1.0, False, "reachable in 100% of decided tests · 100% of the time known"),
        (0.99999, 0.99999, False, "reachable in 99.9% of decided tests · 99.9% of the time known"),
        (0.5, 0.0009, True, "reachable, wholly or in part, in 50% of decided tests · 0.1% of the"),
        (0.0004, 0.0, False, "reachable in 0.1% of decided tests · 0% of the time known"),
        (None, 0.0, False, "nothing known"),
    ],
)
def test_what_failed_once_is_not_reachable_always(
    reachable: float | None, known: float, in_part: bool, said: str
) -> None:
    """Nor is the time known in which something was not. Only none is 0 %."""
    told = known_and_reachable(words_in(), reachable, known, in_part=in_part)
    assert told.startswith(said)


def test_what_is_known_and_what_is_not_are_everything() -> None:
    """Whatever is rounded, the three shares are 100 %."""
    told = covered(words_in(), 0.66666, 0.99999)
    assert told == ("decided 66.6%", "undecided 33.3%", "not watched 0.1%")
    told = covered(words_in(), 0.0002, 0.0004)
    assert told == ("decided 0.1%", "undecided 0%", "not watched 99.9%")


@pytest.mark.parametrize(
    ("since", "until", "hours", "said"),
    [
        ("2024-02-17", "2024-02-18", False, "17 Feb"),
        ("2024-02-17", "2024-02-21", False, "17 Feb–20 Feb"),
        ("2024-02-17", "2024-02-20T12:00", False, "17 Feb–20 Feb"),
        ("2024-02-17T14:00", "2024-02-17T20:00", True, "17 Feb 14:00–20:00"),
        ("2024-02-17T14:00", "2024-02-18T02:00", True, "17 Feb 14:00–18 Feb 02:00"),
        ("2024-02-28", "2024-03-01", False, "28 Feb–29 Feb"),
    ],
)
def test_the_first_moment_after_a_stretch_is_no_day_of_it(
    since: str, until: str, hours: bool, said: str
) -> None:
    """A stretch that ends at midnight ends on the day before."""
    bounds = [datetime.fromisoformat(one) for one in (since, until)]
    assert stretch(words_in(), *bounds, hours=hours) == said
    if not hours and len(said) > len("17 Feb"):
        assert "–".join(axis_ends(words_in(), *bounds)) == said


def test_what_is_not_named_is_counted() -> None:
    """Of many failures the newest are named."""
    told = [("blocked", "17 Feb"), ("down", "12 Feb")]
    said = "17 Feb: mostly found blocked; 12 Feb: found down"
    assert failing(words_in(), told, 2) == said
    assert failing(words_in(), told, 5) == f"{said}; 3 more"
