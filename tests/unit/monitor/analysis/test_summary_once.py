"""What one measurement came to is worked out once, however many rules ask for it."""

import gc
import sys
import weakref
from collections import Counter
from types import CodeType, FrameType
from typing import Any

import msgspec

from monitor.analysis.measurement_summary import last_hop_of, summarise
from monitor.analysis.remembered import remembered
from tests.prometheus import world
from tests.worlds.timed_blocks import run, story


class _Value:
    """Anything that is compared by what it holds, and not hashable."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value)


def test_a_function_of_a_value_runs_once_for_as_long_as_the_value_lives() -> None:
    """The second call gives the same result; another value that is equal has one of its own; and
    nothing is kept of a value that is gone."""
    runs: list[int] = []

    @remembered
    def worked_out(_: _Value) -> list[int]:
        runs.append(len(runs))
        return [runs[-1]]

    first, other = _Value(), _Value()
    result = worked_out(first)
    assert worked_out(first) is result
    assert worked_out(other) == [1]
    assert runs == [0, 1]
    gone = weakref.ref(first)
    del first
    assert gone() is None
    for _ in range(100):
        assert worked_out(_Value()) == [len(runs) - 1]  # even where the address is used again
    assert len(runs) == 102


def test_no_measurement_is_summarised_twice_in_a_run() -> None:
    """A whole story with retries, controls and follow-ups: measuring, health and judging ask for
    summaries many times over, and each measurement is reduced once. Before, it was reduced 7 times
    on average."""
    asked, worked = Counter[int](), Counter[CodeType]()

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        if frame.f_code is summarise.__code__:
            asked[id(frame.f_locals["measurement"])] += 1
        elif frame.f_code is last_hop_of.__code__:
            worked[frame.f_code] += 1

    told = story(3)
    sys.setprofile(count)
    try:
        ran = run(told)
    finally:
        sys.setprofile(None)
    made = {one.id: one for cycle in ran.cycles for one in cycle.measurements}
    assert len(made) > 500
    assert sum(asked.values()) > 2 * len(made)
    assert worked[last_hop_of.__code__] <= len(made)


def test_a_summary_does_not_keep_its_measurement_alive() -> None:
    """A measurement that nobody holds is freed at once, by its count of references: a circle of
    references would fill the memory until the next search for garbage."""
    measurement = msgspec.structs.replace(world.cycle(world.FIELD[0]).measurements[0])
    assert summarise(measurement) == summarise(measurement)
    gone = weakref.ref(measurement)
    gc.disable()
    try:
        del measurement
        assert gone() is None
    finally:
        gc.enable()
