"""What is concluded does not depend on the order in which reports arrive."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.events.verdict_order import Arrival, VerdictOrder, begin, insert

START = datetime(2024, 2, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)

Numbers = VerdictOrder[tuple[int, ...], int]


def _step(state: tuple[int, ...], item: int) -> tuple[int, ...]:
    return (*state, item)


def _put(timeline: Numbers, minute: int) -> tuple[Numbers, Arrival]:
    return insert(timeline, (START + timedelta(minutes=minute), "a"), minute, _step, HOUR)


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
