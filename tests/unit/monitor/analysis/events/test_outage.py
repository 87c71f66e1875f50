"""A platform that is down everywhere is an outage of its own, and nobody's block."""

from collections.abc import Mapping

from monitor.analysis.events.event import Change, EventKind, EventState
from monitor.analysis.events.outage import Outages, take_in
from tests.unit.monitor.analysis.events.test_events import at, judged, verdict

INTERVAL = 300.0


def tell(story: Mapping[str, str]) -> list[Change]:
    """A story by vantage, in letters of test_events."""
    state, changes = Outages(), list[Change]()
    for cycle in range(max(map(len, story.values()))):
        for vantage, letters in story.items():
            if letters[cycle : cycle + 1].strip():
                state, made = take_in(state, verdict(letters[cycle], cycle, vantage), INTERVAL)
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
