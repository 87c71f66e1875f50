"""Cycles of one monitor on request, and what its detector makes of them in simulated time.

    with Rounds(lab, config) as rounds:
        calm = rounds.cycle()
        …  # something happens in the lab
        hit = rounds.cycle()

Each round is measured and judged from every vantage as `shutwatch run` does.

Run in the client's namespace as `python -m tests.scenarios.rounds CONFIG`: a line on standard input
asks for a round, and one comes back.
"""

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.event import Event
from monitor.analysis.events.sequential_test import suspicious
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.verdict import PlatformVerdict, State
from monitor.app.cycle_job import measure_and_judge
from monitor.app.cycle_runners import cycle_runner
from monitor.config.load import load_config
from monitor.logs import LogSettings, configure
from monitor.measuring.fast_lane import IN_A_ROW
from probes.vantage import VantageRole
from tests.lab.lab import Lab

START = datetime(2024, 2, 17, 12, 0, tzinfo=UTC)
SETTINGS = EventSettings()
"""Those shipped: five minutes from cycle to cycle, 30 s in the fast lane."""
SLOW_CYCLE, QUICK_CYCLE = 90.0, 5.0
"""Seconds that a cycle takes with the shipped timeouts where connections to X fail, and where all
is well. The lab's are shorter."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle of every field vantage."""

    verdicts: dict[str, tuple[PlatformVerdict, ...]]
    """By vantage."""

    def on(self, vantage: str, platform: str = "x") -> PlatformVerdict:
        """The verdict on a platform."""
        return next(one for one in self.verdicts[vantage] if one.platform == platform)


class Rounds:
    """The monitor in the lab. Use as a context manager."""

    def __init__(self, lab: Lab, config: Path) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        argv = [sys.executable, "-m", "tests.scenarios.rounds", str(config)]
        root = str(Path(__file__).parents[2])
        self._process = lab.popen(argv, env={"PYTHONPATH": root}, **pipes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def cycle(self) -> Round:
        """Measure and judge one cycle from every vantage."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Round)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an event, in seconds since the block began; None: nothing did."""

    suspected: float | None
    confirmed: float | None
    event: Event | None


def told(
    calm: Mapping[str, PlatformVerdict],
    hit: Mapping[str, Sequence[PlatformVerdict]],
    *,
    hours: float = 1.0,
    phases: Mapping[str, float] | None = None,
    cycle: float = SLOW_CYCLE,
) -> Told:
    """What the shipped detector says of a day of calm and then so many hours like `hit`.

    Both are verdicts by vantage; `hit` are repeated in turn. `phases` are the seconds from the
    onset to each vantage's next cycle, by default nearly a whole interval: the onset comes right
    after the cycle that finds all well. `cycle` is how long one takes from then on.
    """
    interval, fast = SETTINGS.interval, SETTINGS.fast_lane
    phases = phases or dict.fromkeys(hit, interval - 1.0)
    book, onset = EventBook(), START + timedelta(days=1)
    due: list[tuple[datetime, str]] = []
    for vantage, phase in phases.items():
        first = onset + timedelta(seconds=phase)
        for number in range(int(86400 // interval), 0, -1):
            begun = first - timedelta(seconds=number * interval)
            book = _taken(book, calm[vantage], begun, QUICK_CYCLE)
        due.append((first, vantage))
    turns = {vantage: itertools.cycle(several) for vantage, several in hit.items()}
    row = dict.fromkeys(hit, 0)
    suspected = confirmed = event = None
    while due:
        due.sort()
        begun, vantage = due.pop(0)
        if (begun - onset).total_seconds() > hours * 3600:
            continue
        verdict = next(turns[vantage])
        book = _taken(book, verdict, begun, cycle)
        ended = begun + timedelta(seconds=cycle)
        place = next(iter(book.places.values())).current
        event = place.event or event
        since = (ended - onset).total_seconds()
        if event is not None and suspected is None:
            suspected = since
        if event is not None and event.confirmed_at is not None and confirmed is None:
            confirmed = since
        undecided = suspicious(place.streams[vantage].detector)
        hurried = undecided and row[vantage] < IN_A_ROW and verdict.state is not State.THROTTLED
        row[vantage] = row[vantage] + 1 if hurried else 0
        pause = fast if hurried else max(0.0, interval - cycle)
        due.append((ended + timedelta(seconds=pause), vantage))
    return Told(suspected=suspected, confirmed=confirmed, event=event)


def _taken(book: EventBook, one: PlatformVerdict, begun: datetime, lasted: float) -> EventBook:
    """The book after this verdict, as if its cycle had begun then."""
    ended = begun + timedelta(seconds=lasted)
    verdict = msgspec.structs.replace(
        one,
        cycle=f"{one.vantage}-{begun.timestamp():.0f}",
        started_at=begun,
        measured_at=begun,
        measured_until=ended,
        judged_at=ended,
    )
    return advance(book, [verdict], SETTINGS, lateness=timedelta(0)).book


async def _serve(path: Path) -> None:
    settings = load_config(path, os.environ)
    configure(LogSettings(level="warning"))  # on standard error
    field = [one.id for one in settings.vantages if one.role is VantageRole.FIELD]
    async with cycle_runner(settings) as runner:
        while await asyncio.to_thread(sys.stdin.readline):
            cycles = await asyncio.gather(*(measure_and_judge(runner, one) for one in field))
            found = Round(verdicts={one.vantage: one.platforms for one in cycles})
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
