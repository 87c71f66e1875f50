"""How good the detection is: precision, recall, delay, false alarms, ours beside other rules.

    .venv/bin/python benchmarks/detection.py --jobs 2 --write docs/accuracy.md

Simulates countries with networks that are watched, under noise and under blocks, as observations
that go through the real rules of judgement, the real sequential test and the real events. All
follows from --seed, but for how long cycles take: the program itself runs them, in an order drawn
anew, and that varies by a few seconds in a hundred.
"""

import argparse
import logging
import math
import multiprocessing
import random
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.simulation.blocks import KINDS, Block, Kind
from benchmarks.simulation.kept import kept
from benchmarks.simulation.noise import DAY, FITTED, HELD_OUT, LASTING, ODD, YEAR, Family, draw
from benchmarks.simulation.report import write_report
from benchmarks.simulation.rivals import Alarm
from benchmarks.simulation.run import simulate
from benchmarks.simulation.score import CleanYear, Trial, held_against
from benchmarks.simulation.world import BUCKET, World
from monitor.analysis.events.settings import EventSettings

T = TypeVar("T")
NETWORKS, CONTROLS = 3, 2
BEFORE, AFTER = 1.5 * DAY, 1.0 * DAY
"""Seconds of noise alone around a block."""
SETS: Mapping[str, tuple[tuple[Family, ...], float, int]] = {
    "as assumed": (FITTED, 1.0, 0),
    "twice the noise": (FITTED, 2.0, 1_000_000),
    "held out": ((*FITTED, *HELD_OUT), 1.0, 2_000_000),
    "faults that last": ((*FITTED, *LASTING), 1.0, 3_000_000),
}
"""Families, how much of them, and what is added to the seed."""
TIMES = 10.0
"""How far off each assumption may be."""


def _sensitivity() -> Mapping[str, tuple[Family, ...]]:
    """What is wrong in each row: one assumption of those in `FITTED`, or one that is left out."""
    rows: dict[str, tuple[Family, ...]] = {}
    for one in FITTED:
        others = [other for other in FITTED if other is not one]
        more = msgspec.structs.replace(one, a_year=one.a_year * TIMES)
        longer = msgspec.structs.replace(one, median=one.median * TIMES)
        rows[f"{one.name}: {TIMES:g} times as many"] = (*others, more)
        rows[f"{one.name}: {TIMES:g} times as long"] = (*others, longer)
    return rows | {one.name: (*FITTED, one) for one in ODD}


SENSITIVITY = _sensitivity()


def clean_year(task: tuple[str, int]) -> CleanYear:
    """Simulate a year of noise alone."""
    name, number = task
    # The same seeds in every row of the sensitivity table.
    families, times, offset = SETS.get(name, (SENSITIVITY.get(name, ()), 1.0, 4_000_000))
    seed = offset + number
    episodes = draw(
        random.Random(seed),
        families,
        vantages=NETWORKS,
        controls=CONTROLS,
        seconds=YEAR,
        times=times,
    )
    outcome = simulate(
        World(seed, episodes, NETWORKS),
        int(YEAR // BUCKET),
        EventSettings(),
        rivals=name in SETS,
    )
    return CleanYear(
        suspected={rule: len(alarms) for rule, alarms in outcome.alarms.items()},
        confirmed={
            rule: sum(alarm.confirmed < math.inf for alarm in alarms)
            for rule, alarms in outcome.alarms.items()
        },
        fast=outcome.fast,
        readings=outcome.readings,
    )


def trial(task: tuple[int, int]) -> Trial:
    """Simulate one block among noise."""
    kind_number, number = task
    kind = KINDS[kind_number]
    seed = 10_000_000 + kind_number * 100_000 + number
    block, alarms = one_block(kind, seed)
    return Trial(
        kind=kind.name, found={rule: held_against(block, each) for rule, each in alarms.items()}
    )


def one_block(
    kind: Kind, seed: int, families: Sequence[Family] = FITTED
) -> tuple[Block, Mapping[str, list[Alarm]]]:
    """A block of a kind, and the alarms of each rule."""
    rng = random.Random(seed)
    block = kind.make(rng, BEFORE + rng.uniform(0.0, DAY))
    seconds = block.times[-1][1] + AFTER
    noise = draw(rng, families, vantages=block.networks, controls=CONTROLS, seconds=seconds)
    world = World(seed, [*noise, *block.episodes], block.networks)
    return block, simulate(world, int(seconds // BUCKET), EventSettings()).alarms


def main() -> None:
    """Simulate, print, and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=300, help="clean years of each set")
    parser.add_argument("--harder-years", type=int, default=100, help="of the other sets")
    parser.add_argument("--sensitivity-years", type=int, default=50, help="of each of its rows")
    parser.add_argument("--trials", type=int, default=200, help="blocks of each kind")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="added to every seed")
    parser.add_argument(
        "--keep", type=Path, help="a folder; another run goes on from what it holds"
    )
    parser.add_argument("--write", type=Path, help="the document to write")
    asked = parser.parse_args()
    if asked.keep:
        asked.keep.mkdir(parents=True, exist_ok=True)
    years = [
        (name, asked.seed + number)
        for name in SETS
        for number in range(asked.years if name == "as assumed" else asked.harder_years)
    ]
    years += [
        (name, asked.seed + number)
        for number in range(asked.sensitivity_years)
        for name in SENSITIVITY
    ]
    trials = [
        (kind, asked.seed + number) for number in range(asked.trials) for kind in range(len(KINDS))
    ]
    began = time.monotonic()
    a_trial = partial(kept, asked.keep, Trial, trial)
    a_year = partial(kept, asked.keep, CleanYear, clean_year)
    with multiprocessing.Pool(asked.jobs, _quiet) as pool:
        found = list(_counted(pool.imap(a_trial, trials), len(trials), "blocks"))
        clean = list(_counted(pool.imap(a_year, years), len(years), "years"))
    by_set: dict[str, list[CleanYear]] = {name: [] for name in (*SETS, *SENSITIVITY)}
    for (name, _), year in zip(years, clean, strict=True):
        by_set[name].append(year)
    words = [word for word in sys.argv[1:] if word not in ("--keep", str(asked.keep))]
    command = " ".join(["benchmarks/detection.py", *words])
    sets = {name: by_set[name] for name in SETS}
    text = write_report(sets, {name: by_set[name] for name in SENSITIVITY}, found, command)
    print(text)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    if asked.write:
        asked.write.write_text(text, encoding="utf-8")


def _quiet() -> None:
    """Leave out what the cycles log, whose times the simulation takes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def _counted(results: Iterable[T], total: int, what: str) -> Iterable[T]:
    for number, result in enumerate(results, 1):
        if number % 50 == 0 or number == total:
            print(f"{number}/{total} {what}", file=sys.stderr, flush=True)
        yield result


if __name__ == "__main__":
    main()
