"""A platform that is down everywhere is an outage of its own, and nobody's block."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from monitor.analysis.events.detection import EventBook, advance, pass_time
from monitor.analysis.events.event import Change, EventKind, EventState
from monitor.analysis.events.outage import Outages, recounted, take_in
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.shared_map import decoded, encoded
from tests.unit.monitor.analysis.events.test_events import at, judged, verdict

INTERVAL = 300.0
ABROAD = "thr-tci"
"""A vantage of another country."""


def tell(story: Mapping[str, str]) -> list[Change]:
    """A story by vantage, in letters of test_events."""
    state, changes = Outages(), list[Change]()
    for cycle in range(max(map(len, story.values()))):
        for vantage, letters in story.items():
            if letters[cycle : cycle + 1].strip():
                told = replace(
                    verdict(letters[cycle], cycle, vantage),
                    country="IR" if vantage == ABROAD else "PK",
                )
                state, made = take_in(state, told, INTERVAL)
                changes += made
    return changes


def test_down_everywhere() -> None:
    """From the first moment at which every vantage says so; sure when all say so again."""
    changes = tell({"khi-ptcl": "..ddd", "khi-zong": "..ddd"})
    assert [change.name for change in changes] == ["opened", "confirmed"]
    event = changes[-1].event
    assert (event.kind, event.country, event.platform) == (EventKind.OUTAGE, "", "x")
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(2))
    assert event.confirmed_at == judged(3)


def test_over_when_one_gets_through() -> None:
    """The first vantage that reaches it ends the outage, within bounds."""
    event = tell({"khi-ptcl": ".ddd.", "khi-zong": ".dddd"})[-1].event
    assert event.state is EventState.ENDED
    assert (event.end_earliest, event.end_latest) == (at(3), at(4))


def test_down_at_one_vantage_alone_is_none() -> None:
    """While another vantage reaches the platform, or sees it blocked, it is not down everywhere."""
    assert not tell({"khi-ptcl": "..ddd", "khi-zong": "....."})
    assert not tell({"khi-ptcl": "..ddd", "khi-zong": "..BBB"})


def test_who_cannot_tell_has_no_say() -> None:
    """Insufficient verdicts and last_verdicts long past count neither way."""
    changes = tell({"khi-ptcl": ".d?d", "khi-zong": "d?" + "??"})
    assert [change.name for change in changes][:1] == ["opened"]
    assert tell({"khi-ptcl": ".ddddddd", "khi-zong": "." + 7 * " "})[-1].event.active


SLOW = 6 * (5 * " " + ".")
"""A vantage that reaches it every half hour."""


def test_an_agent_with_a_longer_interval_reaches_it_each_time() -> None:
    """Its last verdict counts for three of its own intervals. Undecided ones show its interval,
    too. Once it is silent for longer, it has no say."""
    assert not tell({"khi-zong": f".{SLOW}", "khi-ptcl": "." + 13 * " " + "d" * 20})
    assert not tell({"khi-zong": ".     ?     ?     .", "khi-ptcl": "." + 18 * " " + "d" * 12})
    changes = tell({"khi-zong": f".{SLOW}", "khi-ptcl": f".{36 * ' '}{'d' * 20}"})
    assert [change.name for change in changes] == ["opened", "confirmed"]
    assert changes[0].event.detected_at == judged(36 + 18)


@pytest.mark.parametrize("far", ["BBBBBBBBBB", "  B  B  B ", "     B B B"])
def test_where_it_is_blocked_nobody_can_tell(far: str) -> None:
    """One country's block neither hides an outage of the others nor ends it."""
    changes = tell({ABROAD: far, "khi-ptcl": "..ddddd...", "khi-zong": "..ddddd..."})
    assert [change.name for change in changes] == ["opened", "confirmed", "ended"]
    event = changes[-1].event
    assert (event.onset_latest, event.confirmed_at) == (at(2), judged(3))
    assert (event.end_earliest, event.end_latest) == (at(6), at(7))


def test_the_first_verdict_of_a_vantage_ends_it_within_bounds() -> None:
    """The last moment is that at which another found it down."""
    event = tell({"khi-ptcl": "..ddd", "khi-zong": "     ."})[-1].event
    assert (event.end_earliest, event.end_latest) == (at(4), at(5))


def test_nobodys_silence_ends_it() -> None:
    """Undecided verdicts are no end. After a day without another its end is unknown, and what is
    down then is another outage, which begins later."""
    book, changes = EventBook(), list[str]()
    for cycle, letter in enumerate("..ddd" + 40 * "?"):
        book = advance(book, [verdict(letter, cycle, "khi-ptcl")], EventSettings()).book
    for hours in (4, 23, 25, 26):
        step = pass_time(book, at(4) + timedelta(hours=hours), EventSettings())
        book, changes = step.book, [*changes, *(f"{hours} {one.change}" for one in step.log)]
        for event in step.changed:
            assert (event.end_earliest, event.end_latest) == (at(4), None)
    assert changes == ["25 ended"]
    assert not book.active
    step = advance(book, [verdict("d", 400, "khi-ptcl")], EventSettings())
    (event,) = step.changed
    assert (event.onset_earliest, event.onset_latest) == (at(4), at(400))


def test_an_older_state_is_read() -> None:
    """One that does not have countries, intervals and the last end: what it knew still counts."""
    state, _ = take_in(Outages(), verdict(".", 0, "khi-zong"), INTERVAL)
    text = encoded(state).replace('"pace":', '"unknown":').replace('"country":', '"other":')
    older = recounted(decoded(text, Outages), INTERVAL)
    assert older.reached_until == state.reached_until == at(3)
    for cycle in (1, 2, 3):
        older, changes = take_in(older, verdict("d", cycle, "khi-ptcl"), INTERVAL)
        assert [change.name for change in changes] == (
            ["opened", "confirmed"] if cycle == 3 else []
        )
