"""What is concluded does not depend on the order in which reports arrive."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.events.verdict_order import NEWEST, Arrival, VerdictOrder, begin, insert

START = datetime(2024, 2, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)

Numbers = VerdictOrder[tuple[int, ...], int]


def _step(state: tuple[int, ...], item: int) -> tuple[tuple[int, ...], tuple[()]]:
    return (*state, item), ()


def _put(timeline: Numbers, minute: int) -> tuple[Numbers, Arrival]:
    done = insert(timeline, (START + timedelta(minutes=minute), "a"), minute, _step, HOUR)
    return done.order, done.arrival


def _all(minutes: list[int]) -> tuple[Numbers, list[Arrival]]:
    timeline: Numbers = begin(())
    arrivals = []
    for minute in minutes:
        timeline, arrival = _put(timeline, minute)
        arrivals.append(arrival)
    return timeline, arrivals


@given(st.permutations(range(0, 60, 5)))
def test_any_order_within_the_hour(minutes: list[int]) -> None:
    """Whatever order an hour's reports come in, the state is that of the right order."""
    timeline, _ = _all(minutes)
    assert timeline.current == tuple(sorted(minutes))


@given(st.lists(st.integers(0, 600), max_size=40))
def test_nothing_counts_twice_and_nothing_moves_back(minutes: list[int]) -> None:
    """The state holds each report once, in order; only those too late are missing."""
    timeline, arrivals = _all(minutes)
    late = {m for m, a in zip(minutes, arrivals, strict=True) if a is Arrival.TOO_LATE}
    assert list(timeline.current) == sorted(set(timeline.current))
    assert set(minutes) - late <= set(timeline.current)
    again, second = _all([*minutes, *minutes[-1:]])
    assert again == timeline
    assert second[-1:] in ([], [Arrival.KNOWN], [Arrival.TOO_LATE])


def test_too_late_is_said() -> None:
    """A report from before what is remembered changes nothing, and the caller is told."""
    timeline, arrivals = _all([0, 30, 200, 10])
    assert arrivals == [Arrival.NEXT, Arrival.NEXT, Arrival.NEXT, Arrival.TOO_LATE]
    assert timeline.current == (0, 30, 200)
    assert timeline.settled == (0, 30)


def test_between_is_said() -> None:
    """A report that belongs between others is told apart from the newest."""
    _, arrivals = _all([0, 30, 10])
    assert arrivals[-1] is Arrival.BETWEEN


def _hour(items: int) -> Numbers:
    """Numbers that came evenly over two hours, `items` an hour."""
    order: Numbers = begin(())
    for number in range(2 * items):
        key = (START + 2 * HOUR * number / (2 * items), "a")
        order = insert(order, key, 0, lambda state, _: (state, ()), HOUR).order
    return order


@pytest.mark.parametrize("items", [1200, 4800])
def test_a_few_seconds_late_cost_a_few_steps(items: int) -> None:
    """What comes four seconds late in a fleet of 100 or 400 vantages has a few steps taken again,
    not all of an hour. The older the place of an item, the more, and the states kept stay few."""
    order = _hour(items)
    steps = 0

    def counted(state: tuple[int, ...], _: int) -> tuple[tuple[int, ...], tuple[()]]:
        nonlocal steps
        steps += 1
        return state, ()

    newest = order.last
    assert newest is not None
    for late in (4.0, 60.0, 1800.0):
        steps = 0
        key = (newest[0] - timedelta(seconds=late), "late")
        assert insert(order, key, 1, counted, HOUR).arrival is Arrival.BETWEEN
        since = items * late / 3600
        assert steps <= 2 * since + 2 * NEWEST, late
    assert len(order.spans) <= 30


def test_a_flood_is_settled_before_its_time() -> None:
    """Of too many items the oldest are no longer kept, and the state is still that of all."""
    order: Numbers = begin(())
    for number in range(1000):
        key = (START + timedelta(seconds=number), "a")
        order = insert(order, key, number, _step, HOUR, 100).order
        assert order.held == sum(1 for _ in order.recent) <= 100
    assert order.current == tuple(range(1000))
    assert len(order.settled) == 1000 - order.held
    late = insert(order, (START + timedelta(seconds=10), "late"), 0, _step, HOUR, 100)
    assert late.arrival is Arrival.TOO_LATE


def test_spans_hold_the_state_before_them() -> None:
    """Whatever was made one, each span begins with the state that its forerunners lead to."""
    order, _ = _all([*range(0, 55, 2), 3, 17, 54, 200, 201, 230])
    state = order.settled
    for span in order.spans:
        assert span.before == state
        for placed in span.items:
            state = (*state, placed.item)
    assert order.current == state
