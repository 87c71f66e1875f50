"""The day every address of every platform is dropped: cycles end in time, and events are made.

All is the program's own but for the network and the clock (`tests.worlds.dropped_world`).
"""

import asyncio
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median

import msgspec
import pytest

from monitor.analysis.events.settings import EventSettings
from probes.testing import (
    HANG,
    Hang,
    Peer,
    VirtualClockLoop,
    closed_by_peer,
    reset_by_peer,
    tls_alert,
)
from tests.scenarios.soak import write_rows
from tests.worlds.dropped_world import (
    CATALOG,
    PLATFORMS,
    Watched,
    by_name,
    vantages,
    watch,
)

INTERVAL = 300.0
SUSPECTED, CONFIRMED = 240.0, 480.0
"""Seconds from the block to the first event suspected, and to one confirmed."""
WARM_UP = 700.0
"""Seconds before the block, at least: two cycles of each vantage."""
DOCS = Path(__file__).parents[4] / "docs"


def watched(
    count: int,
    *,
    begins: float = WARM_UP,
    lasting: float = 900.0,
    dropped: frozenset[str] = PLATFORMS,
    rtt: float = 0.04,
    meets: Peer = Peer(connect=HANG),  # noqa: B008 # never changed
) -> Watched:
    """So many vantages for `lasting` seconds after the block began."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(
            watch(
                vantages(count, 5 if count >= 10 else 1),
                begins=begins,
                lasting=begins + lasting,
                dropped=dropped,
                rtt=rtt,
                meets=meets,
            )
        )


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """How one run went; seconds from the block."""

    longest: float
    hurried: float
    """The last one, by which the line's pace is known."""
    missed: int
    suspected: float
    confirmed: float
    every: float
    """Until every platform was confirmed in every country."""


def day(seen: Watched) -> Day:
    """What became of it."""
    folded, places = seen.folded, {v.country for v in seen.settings.vantages if v.role == "field"}
    confirmed = folded.confirmed.values()
    return Day(
        longest=max(seen.lengths()),
        hurried=(seen.lengths(hurried=True) or [0.0])[-1],
        missed=len(seen.missed),
        suspected=min(folded.suspected.values(), default=float("inf")) - seen.begins,
        confirmed=min(confirmed, default=float("inf")) - seen.begins,
        every=max(confirmed) - seen.begins
        if len(confirmed) == len(seen.dropped) * len(places)
        else float("inf"),
    )


@pytest.mark.parametrize("count", [1, pytest.param(5, marks=pytest.mark.soak)])
def test_cycles_end_in_time_and_every_platform_is_confirmed(count: int) -> None:
    """A cycle took 82 s (one vantage) and some platforms waited 769 s: each was tested in full at
    each of its endpoints, and follow-ups ended before the last ones."""
    made = day(watched(count))
    assert made.missed == 0
    assert made.longest <= 60.0
    assert made.hurried <= 1.1 * EventSettings().fast_lane  # pauses between attempts are drawn
    assert made.suspected <= SUSPECTED
    assert made.confirmed <= CONFIRMED
    assert made.every <= INTERVAL + 300.0


def test_healthy_platforms_are_not_forgotten() -> None:
    """With some platforms dropped the others are tested in each interval, and are well: a turn is
    moved by a tenth of it either way, and waits for a cycle out of turn that is under way."""
    dropped = frozenset({"x", "telegram"})
    assert dropped < PLATFORMS
    seen = watched(2, dropped=dropped)
    assert seen.missed == []
    longest = 1.2 * INTERVAL + max(seen.lengths(hurried=True))
    for vantage in ("v0", "v1"):
        for platform in PLATFORMS - dropped:
            times = [
                seen.at(one.started_at)
                for one in seen.folded.cycles
                if one.vantage == vantage
                and any(p.platform == platform and p.state == "ok" for p in one.platforms)
            ]
            assert max(b - a for a, b in pairwise(times)) <= longest
    assert not {platform for _, platform in seen.folded.suspected} - dropped


@pytest.mark.parametrize("rtt", [0.7, 2.0])
def test_a_slow_line_is_accused_of_nothing(rtt: float) -> None:
    """Slow lines accused: where every answer takes seconds, patience stays what it was."""
    seen = watched(1, dropped=frozenset(), rtt=rtt, lasting=700.0)
    assert not seen.folded.suspected
    states = {p.state for cycle in seen.folded.cycles for p in cycle.platforms}
    assert "blocked" not in states


# -- many of them --------------------------------------------------------------------------------

PHASES = 10
HOWS: Mapping[str, OSError | Hang] = {
    "silence": HANG,
    "a reset": reset_by_peer(),
    "an alert": tls_alert(),
    "a FIN": closed_by_peer(),
}
UP = 3600.0
"""Seconds for which `run` has been up: the speed of everything was measured by then."""
SOAK = 600.0
"""Seconds that each run goes on after the block."""
_SETTINGS = """Settings are those shipped, with a cycle every five minutes. Schedule, cycles, judge,
sequential test and events are the program's own; time is virtual and the network is scripted, with
handshakes in 80 ms and two addresses of every host. Figures are seconds from the block; of cycles,
the seconds that the longest one took. In each row the blocks begin at moments spread evenly over
the interval.
"""
_INTRODUCTION = f"""# Everything dropped

<!-- Written by `make soak ARGS=tests/unit/monitor/measuring/test_everything_dropped.py`. -->

{_SETTINGS}[The same with real packets](soak-dropped-lab.md).

All addresses of all {len(CATALOG.platforms)} platforms are dropped at every vantage at once,
{PHASES} times for each row.
*Every platform* is when all were confirmed in every country, in the median. *In time* are runs with
an event suspected within {SUSPECTED:.0f} s and confirmed within {CONFIRMED:.0f} s.

"""
_HEAD = (
    *("vantages", "countries", "longest cycle", "longest out of turn", "turns missed"),
    *("suspected, median", "worst", "confirmed, median", "worst", "every platform", "in time"),
)
_NAMES = f"""# Blocks by name

<!-- Written by `make soak ARGS=tests/unit/monitor/measuring/test_everything_dropped.py`. -->

{_SETTINGS}
X is blocked by its names at every vantage, all in one country, {2 * PHASES} times for each row: a
handshake with one of them meets silence, a reset, an alert or a FIN in turn. `run` has been up for
an hour.
Asked for were 150 s from block to *confirmed* in the median, and 330 s in 95 %.

"""
_NAMES_HEAD = (
    *("vantages", "longest cycle", "longest out of turn", "turns missed"),
    *("suspected, median", "95 %", "confirmed, median", "95 %", "worst"),
)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("count", [1, 5, 10, 20])
def test_nine_of_ten_are_told_in_time(count: int) -> None:
    """Everything dropped at ten moments; writes a row of docs/soak-dropped.md."""
    days = [
        day(watched(count, begins=WARM_UP + INTERVAL * phase / PHASES, lasting=SOAK))
        for phase in range(PHASES)
    ]
    in_time = sum(d.suspected <= SUSPECTED and d.confirmed <= CONFIRMED for d in days)
    waits = [[one.suspected for one in days], [one.confirmed for one in days]]
    figures = [
        *(max(one.longest for one in days), max(one.hurried for one in days)),
        *(sum(one.missed for one in days),),
        *(figure for wait in waits for figure in (median(wait), max(wait))),
        median(one.every for one in days),
    ]
    rounded = (f"{figure:.0f}" for figure in figures)
    row = (count, 5 if count >= 10 else 1, *rounded, f"{in_time} of {PHASES}")
    write_rows(DOCS / "soak-dropped.md", _INTRODUCTION, _HEAD, [row])
    assert all(d.missed == 0 for d in days)
    assert in_time >= 9


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("count", [1, 3])
def test_blocks_by_name_are_told_in_time(count: int) -> None:
    """Twenty of them, five of each kind; writes a row of docs/soak-names.md."""
    days = [
        day(
            watched(
                count,
                begins=UP + INTERVAL * number / (2 * PHASES),
                lasting=SOAK,
                dropped=frozenset({"x"}),
                meets=by_name(list(HOWS.values())[number % len(HOWS)]),
            )
        )
        for number in range(2 * PHASES)
    ]
    suspected = sorted(one.suspected for one in days)
    confirmed = sorted(one.confirmed for one in days)
    most = len(days) * 95 // 100 - 1
    figures = [
        *(max(one.longest for one in days), max(one.hurried for one in days)),
        *(sum(one.missed for one in days), median(suspected), suspected[most]),
        *(median(confirmed), confirmed[most], confirmed[-1]),
    ]
    row = (count, *(f"{figure:.0f}" for figure in figures))
    write_rows(DOCS / "soak-names.md", _NAMES, _NAMES_HEAD, [row])
    assert all(d.missed == 0 for d in days)
    assert median(confirmed) <= 150.0
    assert confirmed[most] <= 330.0
