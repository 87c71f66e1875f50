"""What events of a fleet cost: a cycle costs the same however many vantages there are, and little
more when it comes late; and what they find does not depend on the order."""

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from statistics import median
from types import FrameType

import pytest

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.event import Event
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.verdict import State
from tests.worlds.build import START
from tests.worlds.fleet_cycles import FleetCycle, fleet_cycles, handed_in

SETTINGS = EventSettings()


class Fleet:
    """A book of events of so many vantages in twenty countries, and cycles of one more turn."""

    def __init__(self, vantages: int) -> None:
        cycles = fleet_cycles(vantages, 0.25, countries=20)
        settled, last = cycles[:-vantages], cycles[-vantages:]
        self.late = [one for one in last[:-1] if last[-1].at - one.at <= timedelta(seconds=4)]
        self.in_order = [one for one in last if one not in self.late]
        self._book = EventBook()
        for one in settled:
            self.seconds(one)

    def seconds(self, one: FleetCycle) -> float:
        """Of the processor, for folding the next cycle."""
        begun = time.process_time()
        self._book = advance(self._book, one.platforms, SETTINGS, health=one.health).book
        return time.process_time() - begun

    def calls(self, one: FleetCycle) -> int:
        """Of functions, for the same."""
        counted = 0

        def count(_: FrameType, event: str, __: object) -> None:
            nonlocal counted
            counted += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            self.seconds(one)
        finally:
            sys.setprofile(None)
        return counted


def test_a_cycle_costs_as_much_in_a_fleet_fifteen_times_as_large() -> None:
    """Of the same countries. One in order cost 2.5 times as much, since what is known of every
    vantage was copied for each platform; before that 30 times, and one four seconds late more."""
    few, many = Fleet(100), Fleet(1500)
    # By turns, so that whatever else the machine does slows both.
    times = [(few.seconds(one), many.seconds(other)) for one, other in _turns(few, many)]
    assert median(other / one for one, other in times) < 2
    again = few.calls(few.in_order[-1]), many.calls(many.in_order[-1])
    assert again[1] < 1.1 * again[0]
    # More of the others come within these four seconds, and are folded again.
    assert max(map(many.calls, many.late)) < 10 * again[1]


def _turns(few: Fleet, many: Fleet) -> Iterator[tuple[FleetCycle, FleetCycle]]:
    """In order, but for the last of each."""
    return zip(few.in_order[:-1], many.in_order[: len(few.in_order) - 1], strict=True)


def _blocked(country: str, platform: str, at: datetime) -> State:
    """One platform is blocked in one country for ten minutes; one is down everywhere later."""
    since = at - START
    now = timedelta(minutes=20) <= since < timedelta(minutes=30)
    if (country, platform) == ("C01", "platform-00") and now:
        return State.BLOCKED
    if platform == "platform-02" and since >= timedelta(minutes=35):
        return State.DOWN
    return State.OK


def _events(cycles: Sequence[FleetCycle]) -> dict[str, Event]:
    book, found = EventBook(), dict[str, Event]()
    for one in cycles:
        step = advance(book, one.platforms, SETTINGS, health=one.health)
        book = step.book
        found |= {event.id: event for event in step.changed}
    return {id_: event for id_, event in found.items() if event.state.value != "withdrawn"}


@pytest.mark.parametrize("seed", [1, 2])
def test_events_of_a_fleet_do_not_depend_on_the_order_of_arrival(seed: int) -> None:
    """As agents hand in: half a second to eight seconds after the end."""
    cycles = fleet_cycles(40, 0.8, countries=4, platforms=3, state=_blocked)
    straight = _events(cycles)
    assert sorted(event.kind.value for event in straight.values()) == ["block", "outage"]
    shuffled = _events(handed_in(cycles, Random(seed)))
    assert {
        id_: (event.state, event.onset_earliest, event.onset_latest, event.end_latest)
        for id_, event in shuffled.items()
    } == {
        id_: (event.state, event.onset_earliest, event.onset_latest, event.end_latest)
        for id_, event in straight.items()
    }
