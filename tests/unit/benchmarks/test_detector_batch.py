"""The sequential test in numpy is the scalar one, row by row."""

import math
import random
import time
from datetime import datetime, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from benchmarks.detector_batch import (
    detector_of,
    new_streams,
    readings_of,
    streams_of,
    suspicious_rows,
    update_all,
)
from monitor.analysis.events.sequential_test import (
    Baseline,
    Detector,
    DetectorSettings,
    Kind,
    Persistence,
    Phase,
    Reading,
    suspicious,
    update,
)
from monitor.analysis.judge.grade_by_sign import llr
from monitor.analysis.verdict import Evidence, State
from tests.properties import examples
from tests.worlds.build import START

DEFAULTS = DetectorSettings()
_GRADES = (Evidence.WEAK, Evidence.STRONG, Evidence.CONCLUSIVE)


def accusing(evidence: Evidence, persistence: Persistence, *, alone: bool = True) -> Reading:
    """An accusation; conclusive ones do not persistence."""
    return Reading(
        at=START,
        cycle="",
        kind=Kind.ACCUSES,
        llr=llr(State.BLOCKED, evidence),
        evidence=evidence,
        persistence=Persistence.NONE if evidence is Evidence.CONCLUSIVE else persistence,
        alone=alone,
    )


ACCUSING = [
    accusing(grade, persistence) for grade in _GRADES for persistence in list(Persistence)[1:]
]
UNTOLD = [
    accusing(grade, persistence, alone=False)
    for grade in (Evidence.WEAK, Evidence.STRONG)
    for persistence in (Persistence.LASTING, Persistence.NARROW)
]
"""Silence, and resolvers that lead astray."""
CLEARING = Reading(at=START, cycle="", kind=Kind.CLEARS, llr=llr(State.OK, Evidence.NONE))
NEITHER = Reading(at=START, cycle="", kind=Kind.NEITHER)
DOWN = Reading(at=START, cycle="", kind=Kind.NEITHER, control_failed=True)

_ONE = st.one_of(
    st.none(),
    st.sampled_from(ACCUSING),
    st.sampled_from(ACCUSING + UNTOLD),
    st.just(CLEARING),
    st.just(CLEARING),
    st.sampled_from([NEITHER, DOWN]),
)
_WAITS = st.sampled_from([-300.0, 0.0, 30.0, 61.7, 300.0, 1800.0, 2500.25, 20_000.0])
_STEPS = st.lists(st.tuples(_WAITS, st.lists(_ONE, min_size=4, max_size=4)), max_size=40)
_SETTINGS = st.sampled_from(
    [DEFAULTS, DetectorSettings(base_interval=60.0), DetectorSettings(memory=10.0, gap=600.0)]
)


@given(steps=_STEPS, settings=_SETTINGS)
@hypothesis_settings(max_examples=examples(400), deadline=None)
def test_rows_equal_the_scalar_test(
    steps: list[tuple[float, list[Reading | None]]], settings: DetectorSettings
) -> None:
    """Phases and times are equal, scores to rounding, after any readings at any times, repeats,
    late ones and gaps included."""
    states, streams, at = [Detector()] * 4, new_streams(4), START
    for number, (wait, kinds) in enumerate(steps):
        at += timedelta(seconds=wait)
        given_ = [None if kind is None else _made(kind, at, number) for kind in kinds]
        states = [
            state if reading is None else update(state, reading, settings)
            for state, reading in zip(states, given_, strict=True)
        ]
        streams = update_all(streams, readings_of(given_), settings)
        for row, state in enumerate(states):
            same(detector_of(streams, row), state)
        assert suspicious_rows(streams).tolist() == [suspicious(state) for state in states]


def test_what_comes_and_goes_is_carried() -> None:
    """Runs that come to nothing confirm together on a quiet stream, where somebody must have sent
    something; silence does not."""
    sent, silent = accusing(Evidence.STRONG, Persistence.BRIEF), UNTOLD[2]
    cycles = [[sent, silent], *[[CLEARING] * 2] * 5]
    states = [Detector(baseline=Baseline(readings=2016.0))] * 2
    streams = streams_of(states)
    phases: list[set[Phase]] = [set(), set()]
    for number in range(30):
        at = START + timedelta(seconds=300 * number)
        given_ = [_made(kind, at, number) for kind in cycles[number % 6]]
        states = [update(s, r, DEFAULTS) for s, r in zip(states, given_, strict=True)]
        streams = update_all(streams, readings_of(given_), DEFAULTS)
        for row, state in enumerate(states):
            same(detector_of(streams, row), state)
            phases[row].add(state.phase)
    assert Phase.BLOCKED in phases[0]
    assert Phase.BLOCKED not in phases[1]


def test_silence_alone_stays_below_the_threshold() -> None:
    """However many readings, what another vantage must confirm stays suspected, and it takes
    nothing from a score that others brought nearer to the threshold."""
    near = Detector(phase=Phase.SUSPECTED, score=DEFAULTS.confirm_at - 0.5, accused_at=START)
    states = [Detector(), near]
    streams = streams_of(states)
    for number in range(1, 40):
        reading = _made(UNTOLD[2], START + timedelta(seconds=900 * number), number)
        states = [update(state, reading, DEFAULTS) for state in states]
        streams = update_all(streams, readings_of([reading] * 2), DEFAULTS)
        for row, state in enumerate(states):
            same(detector_of(streams, row), state)
    assert [state.phase for state in states] == [Phase.SUSPECTED] * 2
    assert states[1].score == near.score


def _made(kind: Reading, at: datetime, number: int) -> Reading:
    """The reading of a cycle, whose attempts take seconds."""
    since, until = at + timedelta(seconds=1 + number % 3), at + timedelta(seconds=4 + number % 5)
    return msgspec.structs.replace(kind, at=at, since=since, until=until, cycle=str(number))


def same(row: Detector, state: Detector) -> None:
    """Equal but for rounding, and for the cycle that the batch does not keep."""
    for name in Detector.__struct_fields__:
        ours, theirs = getattr(row, name), getattr(state, name)
        if isinstance(theirs, float):
            assert math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9), name
        elif name == "baseline":
            assert msgspec.structs.astuple(ours) == pytest.approx(msgspec.structs.astuple(theirs))
        elif name != "cycle":
            assert ours == theirs, name


def test_states_go_to_rows_and_back() -> None:
    """Taking up where the scalar test stopped loses nothing but the name of the last cycle."""
    state = Detector()
    for number, kind in enumerate([CLEARING, *ACCUSING, CLEARING, DOWN, ACCUSING[0]]):
        at = START + timedelta(seconds=30 * number)
        state = update(state, msgspec.structs.replace(kind, at=at, cycle=str(number)), DEFAULTS)
    assert detector_of(streams_of([Detector(), state]), 1) == msgspec.structs.replace(
        state, cycle=""
    )


def test_rows_have_to_match() -> None:
    """Readings for another number of streams are refused."""
    with pytest.raises(ValueError, match="2 readings for 3 streams"):
        update_all(new_streams(3), readings_of([None, None]), DEFAULTS)


def test_nothing_is_changed_in_place() -> None:
    """The streams before a step stay as they were."""
    before = new_streams(2)
    update_all(before, readings_of([ACCUSING[0], CLEARING]), DEFAULTS)
    assert detector_of(before, 0) == detector_of(before, 1) == Detector()


def test_a_hundred_thousand_streams_take_milliseconds() -> None:
    """One step of 100,000 streams, of which one in a hundred accuses, in 50 ms of CPU."""
    rng = random.Random(1)
    kinds = [rng.choice(ACCUSING) if rng.random() < 0.01 else CLEARING for _ in range(100_000)]
    streams = new_streams(100_000)
    readings = readings_of(kinds)
    spent = []
    for number in range(9):
        shifted = msgspec.structs.replace(readings, at=readings.at + number * 300_000_000)
        began = time.process_time()
        streams = update_all(streams, shifted, DEFAULTS)
        spent.append(time.process_time() - began)
    assert np.count_nonzero(suspicious_rows(streams)) > 0
    assert min(spent) < 0.05
