"""What events of a fleet cost: a cycle costs the same however many vantages there are, and little
more when it comes late; and what they find does not depend on the order."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from statistics import median

import pytest

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.event import Event
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.verdict import State
from tests.worlds.build import START
from tests.worlds.fleet_cycles import FleetCycle, fleet_cycles, handed_in

SETTINGS = EventSettings()
FEW, MANY = 100, 3000


def _fold(book: EventBook, cycles: Sequence[FleetCycle]) -> tuple[EventBook, float]:
    """The book after these, and the median of the processor's seconds for one."""
    seconds = []
    for one in cycles:
        begun = time.process_time()
        book = advance(book, one.platforms, SETTINGS, health=one.health).book
        seconds.append(time.process_time() - begun)
    return book, median(seconds)


def _cost(vantages: int) -> tuple[float, float]:
    """Seconds for a cycle in order, and for one that comes four seconds late."""
    cycles = fleet_cycles(vantages, 0.25, countries=20)
    settled, last = cycles[:-vantages], cycles[-vantages:]
    book, _ = _fold(EventBook(), settled)
    late = [one for one in last[:-1] if last[-1].at - one.at <= timedelta(seconds=4)]
    book, in_order = _fold(book, [one for one in last if one not in late])
    return in_order, _fold(book, late)[1]


def test_a_cycle_costs_as_much_in_a_fleet_thirty_times_as_large() -> None:
    """Of the same countries. One in order cost 2.5 times as much, since what is known of every
    vantage was copied for each platform; before that 30 times, and one four seconds late more."""
    few, many = _cost(FEW), _cost(MANY)
    assert many[0] < 1.5 * few[0]
    # More of the others come within these four seconds, and are folded again.
    assert many[1] < 30 * many[0]


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
