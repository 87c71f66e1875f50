"""What one step of the sequential test costs: 100,000 streams at once, and one by one.

    .venv/bin/python benchmarks/detector.py [--streams 100000] [--steps 20]

Prints CPU time, since that is what a busy machine leaves comparable, and the ratio of the two.
"""

import argparse
import random
import statistics
import time
from datetime import UTC, datetime, timedelta

import msgspec

from benchmarks.detector_batch import detector_of, new_streams, readings_of, update_all
from monitor.analysis.events.sequential_test import (
    Detector,
    DetectorSettings,
    Kind,
    Persistence,
    Reading,
    update,
)
from monitor.analysis.judge.grade_by_sign import llr
from monitor.analysis.verdict import Evidence, State

SCALAR_STEPS = 3
START = datetime(2024, 2, 17, tzinfo=UTC)
OK = Reading(at=START, cycle="0", kind=Kind.CLEARS, llr=llr(State.OK, Evidence.NONE))
STRONG = Reading(
    at=START,
    cycle="0",
    kind=Kind.ACCUSES,
    llr=llr(State.BLOCKED, Evidence.STRONG),
    evidence=Evidence.STRONG,
    persistence=Persistence.BRIEF,
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    print(f"{asked.streams} streams, {asked.steps} steps, CPU time of one step (median):")
    for share in (0.0, 0.01, 0.5):
        batch, scalar = measure(asked.streams, asked.steps, share)
        print(
            f"  {share:4.0%} of streams accuse: {batch * 1e3:7.1f} ms in numpy,"
            f" {scalar * 1e3:8.1f} ms one by one: {scalar / batch:5.1f} times as long"
        )


def measure(count: int, steps: int, share: float) -> tuple[float, float]:
    """Seconds of CPU for one step of `count` streams: in numpy, and one by one."""
    settings = DetectorSettings()
    rng = random.Random(1)
    steady = [rng.random() < share for _ in range(count)]
    streams = new_streams(count)
    given = readings_of([STRONG if blocked else OK for blocked in steady])
    spent = []
    for number in range(steps):
        shifted = msgspec.structs.replace(given, at=given.at + number * 300_000_000)
        began = time.process_time()
        streams = update_all(streams, shifted, settings)
        spent.append(time.process_time() - began)
    states = [Detector()] * count
    alone = []
    for number in range(SCALAR_STEPS):
        at, cycle = START + timedelta(seconds=300 * number), str(number)
        ok, strong = (msgspec.structs.replace(r, at=at, cycle=cycle) for r in (OK, STRONG))
        each = [strong if blocked else ok for blocked in steady]
        began = time.process_time()
        states = [update(s, r, settings) for s, r in zip(states, each, strict=True)]
        alone.append(time.process_time() - began)
    assert steps != SCALAR_STEPS or detector_of(streams, 0).phase is states[0].phase
    return statistics.median(spent), statistics.median(alone)


if __name__ == "__main__":
    main()
