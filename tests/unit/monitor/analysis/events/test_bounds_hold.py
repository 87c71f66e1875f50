"""The truth lies within the bounds that are stated of every onset and end."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from statistics import median

import msgspec
import pytest

from monitor.analysis.events.event import Event
from monitor.analysis.events.stretches import stretches
from tests.worlds.timed_blocks import HOWS, TICK, Ran, Story, moment, run, story

DOCS = Path(__file__).parents[5] / "docs"
BLOCKS = 200

_Bounds = tuple[datetime | None, datetime | None]


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of bounds, and the truth that they are about."""

    what: str
    truth: datetime
    earliest: datetime | None
    latest: datetime | None

    @property
    def holds(self) -> bool:
        if self.earliest is None or self.latest is None:
            return False
        return self.earliest - TICK <= self.truth <= self.latest + TICK

    @property
    def width(self) -> float:
        """Seconds between the bounds."""
        if self.earliest is None or self.latest is None:
            return 0.0
        return (self.latest - self.earliest).total_seconds()


def stated(of: Story, event: Event) -> Iterator[Stated]:
    """Every onset and end that an event states: its own, its stretches', its networks'."""
    yield from _both("event", of, None, (event.onset_earliest, event.onset_latest), event)
    country = stretches(event)
    yield from _both(
        "country", of, None, (country[0].onset_earliest, country[0].onset_latest), country[-1]
    )
    for network in event.networks:
        if network.stretches:
            first, last = network.stretches[0], network.stretches[-1]
            onset = (first.onset_earliest, first.onset_latest)
            yield from _both(f"AS{network.asn}", of, network.asn, onset, last)


def _both(who: str, of: Story, asn: int | None, onset: _Bounds, last: object) -> Iterator[Stated]:
    truth = of.country if asn is None else of.truth(asn)
    ends = (getattr(last, "end_earliest", None), getattr(last, "end_latest", None))
    for name, at, (earliest, latest) in (
        ("onset", truth.since, onset),
        ("end", truth.until, ends),
    ):
        yield Stated(what=f"{who} {name}", truth=moment(at), earliest=earliest, latest=latest)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a story came to, as far as the document says."""

    how: str
    vantages: int
    cycles: int
    retried: int
    slow: int
    found: bool
    bounds: tuple[Stated, ...]

    @property
    def wrong(self) -> list[Stated]:
        return [one for one in self.bounds if not one.holds]


def outcome(seed: int) -> Outcome:
    """A story run to its end. A block that makes no event is not found, one that makes two has no
    bounds that hold."""
    ran: Ran = run(story(seed))
    bounds = [one for event in ran.events[:1] for one in stated(ran.story, event)]
    if len(ran.events) > 1:
        bounds = [Stated(what="two events", truth=moment(0), earliest=None, latest=None)]
    return Outcome(
        how=ran.story.how,
        vantages=len(ran.story.vantages),
        cycles=len(ran.cycles),
        retried=ran.retried,
        slow=ran.slow,
        found=bool(ran.events),
        bounds=tuple(bounds),
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_truth_lies_within_the_bounds(seed: int) -> None:
    """A small part of what `make soak` runs."""
    came = outcome(seed)
    assert came.found
    assert came.retried > 0
    assert came.slow > 0
    assert came.wrong == []


_INTRODUCTION = """# Bounds of onset and end

<!-- Written by `make soak ARGS=tests/unit/monitor/analysis/events/test_bounds_hold.py`. -->

Blocks that begin and end at random moments, in the middle of cycles and of measurements too: on
one to three networks, for one endpoint after the other or for all at once. One to four vantages
measure, whose cycles begin at different times and arrive up to 90 seconds late. Packets get lost,
answers take seconds, attempts are repeated. Time is virtual and the network scripted
(`tests/worlds/timed_blocks.py`); what measures, judges and detects is the real code, with the
settings as shipped. The truth must lie within every pair of bounds that an event states, for the
country and for each network. Why it does:
[adr/0018](adr/0018-bounds-by-the-deciding-measurement.md).

"""
_HEAD = (
    "| how | blocks | cycles | repeated attempts | slow answers | bounds stated | truth outside"
    " | onset, median width | end, median width |"
)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_it_does_for_every_one_of_many_blocks() -> None:
    """Of two hundred blocks that were found, none is outside; writes docs/soak-bounds.md."""
    with ProcessPoolExecutor() as pool:
        came = list(pool.map(outcome, range(BLOCKS + BLOCKS // 10)))
    found = [one for one in came if one.found]
    rows = [_row(how, [one for one in found if one.how == how]) for how in HOWS]
    ends = f"\nIn {len(came) - len(found)} more runs no event was opened: too little was decided.\n"
    lines = [_INTRODUCTION + _HEAD, "|" + " --- |" * 9, *rows]
    text = "\n".join(lines) + "\n" + ends
    (DOCS / "soak-bounds.md").write_text(text, encoding="utf-8")
    assert [one.wrong for one in found if one.wrong] == []
    assert len(found) >= BLOCKS


def _row(how: str, came: list[Outcome]) -> str:
    bounds = [one for each in came for one in each.bounds]
    widths = [
        f"{median(one.width for one in bounds if one.what.endswith(what)):.0f} s"
        for what in ("onset", "end")
    ]
    cells = [
        *(f"`{how}`", len(came), sum(one.cycles for one in came)),
        *(sum(one.retried for one in came), sum(one.slow for one in came)),
        *(len(bounds), sum(not one.holds for one in bounds), *widths),
    ]
    return f"| {' | '.join(map(str, cells))} |"
