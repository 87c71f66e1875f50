"""Who is told of which change."""

from datetime import timedelta
from typing import Any

import pytest

from monitor.analysis.events.event import Event, EventKind, EventLogEntry, EventState
from monitor.notify.notice_kinds import CLOSING, NoticeKind, notice_kind_of
from monitor.notify.queued_notices import notices_of, wanted
from monitor.notify.settings import Target
from storage.values.outbox import NoticeState
from tests.worlds.notify_world import ONSET, block, entry, route, shutdown

SUSPECTED = block(EventState.SUSPECTED)
OUTAGE = block(kind=EventKind.OUTAGE, country="")


@pytest.mark.parametrize(
    ("change", "event", "occasion"),
    [
        ("opened", SUSPECTED, NoticeKind.SUSPECTED),
        ("confirmed", block(), NoticeKind.CONFIRMED),
        ("reopened", block(reopened=1), NoticeKind.CONFIRMED),
        ("reopened", SUSPECTED, NoticeKind.SUSPECTED),
        ("network_affected", block(), NoticeKind.SPREAD),
        ("ended", block(EventState.ENDED), NoticeKind.ENDED),
        ("dismissed", block(EventState.DISMISSED), NoticeKind.DISMISSED),
        ("withdrawn", block(EventState.WITHDRAWN), NoticeKind.WITHDRAWN),
        ("revised", block(), NoticeKind.CONFIRMED),
        ("revised", block(EventState.RECOVERING), NoticeKind.CONFIRMED),
        ("revised", SUSPECTED, NoticeKind.DOUBTED),
        ("revised", block(EventState.RECOVERING, confirmed_at=None), None),
        ("revised", block(EventState.ENDED), NoticeKind.ENDED),
        ("revised", block(EventState.DISMISSED), NoticeKind.DISMISSED),
        *(
            (change, block(), None)
            for change in (
                *("network_recovering", "network_recovered", "network_unobserved"),
                *("method_added", "scope_widened", "pattern_found"),
                *("recovering", "reblocked", "unobserved", "something_new"),
            )
        ),
    ],
)
def test_what_is_worth_telling(change: str, event: Event, occasion: NoticeKind | None) -> None:
    """Beginnings, ends, further networks and retractions; nothing of what is between."""
    assert notice_kind_of(entry(change, event)) is occasion


def test_a_network_that_blocks_again_is_no_further_network() -> None:
    """It was named before."""
    assert notice_kind_of(entry("network_affected", block(), detail="AS1 A, again")) is None


@pytest.mark.parametrize(
    ("changes", "event", "occasion", "yes"),
    [
        ({}, block(), NoticeKind.CONFIRMED, True),
        ({}, SUSPECTED, NoticeKind.SUSPECTED, False),
        ({"minimum": "suspected"}, SUSPECTED, NoticeKind.SUSPECTED, True),
        ({}, SUSPECTED, NoticeKind.SPREAD, False),
        ({"countries": ("PK", "BR")}, block(), NoticeKind.CONFIRMED, True),
        ({"countries": ("BR",)}, block(), NoticeKind.CONFIRMED, False),
        ({"platforms": ("x",)}, block(), NoticeKind.CONFIRMED, True),
        ({"platforms": ("whatsapp",)}, block(), NoticeKind.CONFIRMED, False),
        ({"platforms": ("whatsapp",)}, shutdown(), NoticeKind.CONFIRMED, True),
        ({"countries": ("BR",)}, shutdown(), NoticeKind.CONFIRMED, False),
        ({"kinds": ("shutdown",)}, block(), NoticeKind.CONFIRMED, False),
        ({"kinds": ("shutdown",)}, shutdown(), NoticeKind.CONFIRMED, True),
        ({}, shutdown(EventKind.INTERNATIONAL_CUT), NoticeKind.CONFIRMED, True),
        ({}, shutdown(EventKind.VANTAGE_SILENT), NoticeKind.CONFIRMED, False),
        ({}, OUTAGE, NoticeKind.CONFIRMED, False),
        ({"kinds": ("outage",), "countries": ("PK",)}, OUTAGE, NoticeKind.CONFIRMED, True),
        ({"countries": ("PK",)}, OUTAGE, NoticeKind.CONFIRMED, False),
        (
            {"kinds": ("outage",)},
            block(kind=EventKind.OUTAGE, country=""),
            NoticeKind.CONFIRMED,
            True,
        ),
    ],
)
def test_routes_ask_for_countries_platforms_kinds_and_certainty(
    changes: dict[str, Any], event: Event, occasion: NoticeKind, *, yes: bool
) -> None:
    """Each condition narrows. A shutdown affects every platform and an outage every country: a
    route for one platform or one country gets them, too."""
    assert wanted(route(**changes), event, occasion) is yes


def test_each_target_gets_a_notice_of_its_own() -> None:
    """So that one that fails keeps none of the others from being told."""
    targets = tuple(Target(name=f"{n}-json", url=f"json://h{n}/") for n in (1, 2))
    routes = [route("a", urls=targets), route("b"), route("c", countries=("BR",))]
    made = notices_of([entry("confirmed", block(), sequence=7)], routes, ONSET)
    assert [(one.route, one.target) for one in made] == [
        ("a", "1-json"),
        ("a", "2-json"),
        ("b", "1-json"),
    ]
    assert all(
        (one.country, one.event, one.sequence) == ("PK", block().id, 7)
        and (one.occasion, one.created_at) == ("confirmed", ONSET)
        and (one.state, one.attempts) == (NoticeState.PENDING, 0)
        for one in made
    )


@pytest.mark.parametrize("occasion", sorted(CLOSING - {NoticeKind.DOUBTED}))
def test_an_end_is_noted_for_whoever_may_have_been_told(occasion: NoticeKind) -> None:
    """A route that was narrowed since, or never asked for it, is decided about when it is sent."""
    event = block(EventState(occasion.value))
    routes = [route("a", countries=("BR",)), route("b", kinds=("shutdown",))]
    made = notices_of([entry(occasion, event)], routes, ONSET)
    assert [one.route for one in made] == ["a", "b"]


def test_the_same_lines_make_the_same_notices() -> None:
    """Whenever they are made, so that storing them twice stores them once."""
    lines = [entry("opened", SUSPECTED), entry("confirmed", block(), sequence=2)]
    first = notices_of(lines, [route(minimum="suspected")], ONSET)
    again = notices_of(lines, [route(minimum="suspected")], ONSET + timedelta(days=1))
    assert len({one.key for one in first}) == 2
    assert [one.key for one in first] == [one.key for one in again]


def test_what_old_data_shows_to_be_over_long_ago_is_no_news() -> None:
    """A newer version that finds more in what is stored tells of what lasts, and takes back. An end
    is noted for whoever was told before that it began; delivery drops it for others."""
    began = [entry("opened", SUSPECTED), entry("confirmed", block(), sequence=2)]
    over = entry("ended", block(EventState.ENDED), sequence=3)
    gone = entry("withdrawn", block(EventState.WITHDRAWN), sequence=3)
    later = ONSET + timedelta(days=90)

    def told(*lines: EventLogEntry) -> list[str]:
        return [one.occasion for one in notices_of(lines, [route()], later)]

    assert told(*began, over) == ["ended"]
    assert told(*began) == ["confirmed"]
    assert told(gone) == ["withdrawn"]


def test_no_secret_of_an_address_is_in_a_notice_or_in_what_is_printed() -> None:
    """Only the number and the scheme are."""
    watched = route(urls=(Target(name="1-tgram", url="tgram://123456:SECRET/42"),))
    made = notices_of([entry("confirmed", block())], [watched], ONSET)
    assert "SECRET" not in f"{made} {watched!r} {watched}"
