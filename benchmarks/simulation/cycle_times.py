"""When cycles begin and how long they take, as the program itself does it.

The schedule gives the beginnings. The lengths are those of the program's own cycles
(`tests.worlds.dropped_world`): rate and queues of a process that watches the default platforms from
as many networks, references, transfers, and the waits for what is silent. Time there is virtual, so
that takes seconds, once a process.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import median

import msgspec

from benchmarks.simulation.world import BUCKET, Seen
from monitor.analysis.verdict import Evidence
from monitor.app.schedule import offset
from probes.testing import HANG, Peer, VirtualClockLoop, reset_by_peer
from tests.worlds.dropped_world import Watched, by_name, vantages, watch

JITTER = BUCKET / 10
"""Seconds by which each turn is moved at most, as shipped."""
_NETWORKS = 3
_BEGINS, _LASTING = 3700.0, 650.0
"""Seconds until X is blocked, and for which it is: an hour before, in which the speed of everything
is measured for the first time, and two cycles after."""
_MEETS: Mapping[str, Peer] = {
    "dropped": Peer(connect=HANG),
    "silenced": by_name(HANG),
    "cut off": Peer(connect_delay=0.04, tls=reset_by_peer()),
}


class Lengths(msgspec.Struct, frozen=True):
    """Seconds from the start of a cycle until it is recorded, in the median."""

    scheduled: float
    hurried: float


def begins(vantage: int, networks: int, rng: random.Random) -> float:
    """Seconds of the interval at which a turn of this vantage begins, jitter included; what that
    might move into the next interval is taken from the distance between vantages."""
    return JITTER + (BUCKET - 2 * JITTER) * _share(vantage, networks) + rng.uniform(-JITTER, JITTER)


@cache
def _share(vantage: int, networks: int) -> float:
    field = [one for one in vantages(networks) if one.role == "field"]
    return offset(field[vantage], field) % 1


def lasts(seen: Seen, *, hurried: bool = False) -> float:
    """Seconds until a cycle is judged and recorded: as long as the program takes for one in which
    X fails so, and no less than what was simulated of it takes."""
    known = lengths(_kind(seen))
    return max(seen.duration, known.hurried if hurried else known.scheduled)


def _kind(seen: Seen) -> str:
    verdict = seen.verdict
    if verdict.evidence is Evidence.NONE:
        return ""
    if verdict.sub_method != "timeout":
        return "cut off"
    return "silenced" if verdict.method == "tls" else "dropped"


KNOWN: dict[str, Lengths] = {}
"""Those that were measured before, by kind."""


def lengths(kind: str) -> Lengths:
    """Those of cycles in which X fails so; measured the first time."""
    if kind not in KNOWN:
        KNOWN[kind] = measured(kind)
    return KNOWN[kind]


def measured(kind: str, begins: float = _BEGINS, lasting: float = _LASTING) -> Lengths:
    """Let the program run through such cycles: until X is blocked, and while it is."""
    seen = _watched(kind or "cut off", begins, lasting)
    hurried = _median(seen, hurried=True, since=seen.begins)
    if kind:
        return Lengths(_median(seen, hurried=False, since=seen.begins), hurried)
    # All is well before X is blocked. A hurried cycle has X alone to measure.
    return Lengths(_median(seen, hurried=False, until=seen.begins), min(hurried, 5.0))


@cache
def _watched(kind: str, begins: float, lasting: float) -> Watched:
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(
            watch(
                vantages(_NETWORKS),
                begins=begins,
                lasting=begins + lasting,
                dropped=frozenset({"x"}),
                meets=_MEETS[kind],
            )
        )


def _median(
    seen: Watched, *, hurried: bool, since: float = 0.0, until: float = float("inf")
) -> float:
    found: Sequence[float] = [
        (one.finished_at - one.started_at).total_seconds()
        for one in seen.folded.cycles
        if one.platforms
        and one.hurried is hurried
        and since <= seen.at(one.started_at)
        and seen.at(one.finished_at) < until
    ]
    return median(found)
