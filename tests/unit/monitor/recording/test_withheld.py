"""When a page is said to be withheld: only by the platform's words, and only beside an offer."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.recording.withheld import Look, compared
from probes.catalog.public_pages import public_page
from probes.layers.offer import Offer, Offered
from storage.values.withheld import Withheld

AT = datetime(2024, 2, 17, 14, 37, tzinfo=UTC)
PAGE = public_page("https://x.com/example")
assert PAGE is not None


def look(country: str, said: str, *not_in: str) -> Look:
    """What a page said in a country; empty: it was not reached."""
    offer = Offer(offered=Offered(said), not_in=not_in) if said else None
    return Look(country=country, offer=offer)


def after(here: list[Look], controls: list[Look], known: Withheld | None = None) -> Withheld | None:
    """One more round in Turkey."""
    assert PAGE is not None
    return compared(known, PAGE, "TR", here, controls, AT)


OFFERED_IN_DE = [look("DE", "offered")]


@pytest.mark.parametrize(
    ("here", "controls"),
    [
        (["offered"], ["offered"]),
        (["gone"], ["offered"]),
        (["owner"], ["offered"]),
        (["unclear"], ["offered"]),
        (["empty"], ["offered"]),
        ([""], ["offered"]),
        ([], ["offered"]),
        (["withheld"], []),
        (["withheld"], ["withheld"]),
        (["withheld"], ["unclear"]),
        (["withheld"], [""]),
        (["withheld"], ["gone", "empty"]),
        (["withheld", "offered"], ["offered"]),
    ],
)
def test_nobody_is_said_to_withhold_it(here: list[str], controls: list[str]) -> None:
    """Where no clear word or no offer elsewhere is, or two networks differ."""
    assert after([look("TR", one) for one in here], [look("DE", one) for one in controls]) is None


def test_a_control_in_the_same_country_is_none() -> None:
    """What is offered there too is no difference between countries."""
    assert after([look("TR", "withheld")], [look("TR", "offered")]) is None


def test_it_is_told_after_two_looks_and_over_once_it_is_offered() -> None:
    """With the hour alone, and where it was offered meanwhile."""
    first = after([look("TR", "withheld"), look("TR", "")], OFFERED_IN_DE)
    assert first is not None
    assert (first.rounds, first.since) == (1, AT.replace(minute=0))
    second = after([look("TR", "withheld")], [look("FR", "offered")], first)
    assert second is not None
    assert (second.rounds, second.controls, second.named) == (2, ("DE", "FR"), False)
    for silent in ("", "unclear", "gone", "empty"):
        assert after([look("TR", silent)], OFFERED_IN_DE, second) == second
    over = after([look("TR", "offered")], OFFERED_IN_DE, second)
    assert over == msgspec.structs.replace(second, over_at=AT.replace(minute=0))
    assert after([look("TR", "offered")], OFFERED_IN_DE, first) is None


def test_the_platform_s_own_list_counts_where_nothing_is_shown() -> None:
    """X names a country in which it withholds an account, and gives nothing of it there."""
    controls = [look("DE", "offered", "TR")]
    found = after([look("TR", "empty")], controls)
    assert found is not None
    assert found.named
    assert after([look("TR", "unclear")], controls) is None
    assert after([look("TR", "offered")], controls) is None
    assert after([look("TR", "")], controls) is None
    assert timedelta(0) <= AT - found.since < timedelta(hours=1)
