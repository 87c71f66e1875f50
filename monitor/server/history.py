"""The past as strips: of each platform, how much of each hour or day it worked, and how much of it
is known.

A strip is cut into cells of equal length. A cell's colour is what its verdicts say, its height how
much of its time they cover: where nobody looked, or nothing could be told, there is none.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import mul

import msgspec

from monitor.analysis.verdict import State
from monitor.server.event_filter import asked_once, refused
from monitor.wording.filters import Fault
from monitor.wording.states import NO_DATA
from storage.values.history_cell import HistoryCell, Place
from storage.values.rollup import COUNTS, Period

LEVELS = 4
"""Heights of a cell."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """How far back strips go."""

    cell: timedelta
    cells: int

    @property
    def period(self) -> Period:
        """The rows that make its cells."""
        return Period.HOUR if self.cell < _DAY else Period.DAY

    def until(self, at: datetime) -> datetime:
        """The end of the cell in which a moment lies; one of a day or more ends with a day."""
        length = min(self.cell, _DAY).total_seconds()
        return datetime.fromtimestamp(-(-at.timestamp() // length) * length, UTC)

    def since(self, at: datetime) -> datetime:
        """The beginning of the first cell."""
        return self.until(at) - self.cells * self.cell


SPANS: Mapping[str, Span] = {
    "day": Span(cell=_HOUR, cells=24),
    "week": Span(cell=6 * _HOUR, cells=28),
    "month": Span(cell=_DAY, cells=30),
    "year": Span(cell=7 * _DAY, cells=52),
}
"""By what an address calls them."""
USUAL = "month"
WAYS = ("network",)
"""What a history can be parted by, if by anything."""


class HistoryAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which history a reader asks for."""

    span: str
    """A key of SPANS."""
    by_network: bool


def history_asked(items: Iterable[tuple[str, str]]) -> HistoryAsked:
    """What a query string asks for. FilterError."""
    query = asked_once(items, ("span", "by"))
    span, way = query.get("span", USUAL), query.get("by", "")
    if span not in SPANS:
        raise refused("span", Fault.CHOICE, span, SPANS)
    if way and way not in WAYS:
        raise refused("by", Fault.CHOICE, way, WAYS)
    return HistoryAsked(span=span, by_network=bool(way))


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Cells side by side that look alike."""

    state: str
    """A State, or `no_data`: `degraded` for what failed at times, `blocked` and `throttled` for
    what failed at least half of the time that is known."""
    level: int
    """How much of its time is known, from 0 to LEVELS."""
    x: float
    """Percent from the start of the strip."""
    width: float
    """Percent."""
    since: datetime
    until: datetime
    counts: tuple[int, ...]
    """Verdicts by state, in the order of COUNTS."""


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """One platform in a country, or on one of its networks."""

    place: Place
    runs: tuple[Run, ...]
    counts: Mapping[State, int]
    """Verdicts by state."""
    known: float
    """The share (0–1) of the time that decided verdicts cover."""
    watched: float
    """The share (0–1) of the time that any verdict covers."""

    @property
    def decided(self) -> int:
        """Verdicts that say something."""
        return sum(self.counts.values()) - self.counts[State.INSUFFICIENT]

    @property
    def reachable(self) -> float | None:
        """The share (0–1) of decided verdicts by which people could use it; None: of none."""
        works = self.counts[State.OK] + self.counts[State.DEGRADED]
        return works / self.decided if self.decided else None


_Cell = tuple[int, ...]
"""Hours with a measurement, summed over networks, and verdicts by state in the order of COUNTS."""
_EMPTY: _Cell = (0,) * (1 + len(COUNTS))
_Look = tuple[tuple[str, int], float, float]
"""Of a cell: its state and level as in Run, and its shares of known and of watched time."""


class _Grid:
    """What all strips of one time share."""

    def __init__(self, span: Span, at: datetime) -> None:
        since, every = span.since(at), range(span.cells + 1)
        self.cells = span.cells
        self.starts = [since + number * span.cell for number in every]
        self.ends = [min(at, start) for start in self.starts]
        """Each where the cells before it end, as far as they are over."""
        self.x = [round(number * (100 / span.cells), 2) for number in every]
        """The width of so many cells, in percent."""
        self.hours = [
            max(0, math.ceil((end - start) / _HOUR))
            for start, end in zip(self.starts, self.ends[1:], strict=False)
        ]
        """Of each cell, as far as it is over."""
        # Most cells of most strips are alike, and so are most runs.
        self.look = cache(_look)
        self.counts = cache(_counts)


def most_networks(found: Iterable[HistoryCell]) -> Counter[tuple[str, str]]:
    """Country and platform → how many networks measured at once, at most."""
    most = Counter[tuple[str, str]]()
    for one in found:
        pair = one.place[:2]
        most[pair] = max(most[pair], one.networks)
    return most


def strips(
    found: Iterable[HistoryCell],
    span: Span,
    at: datetime,
    wanted: Mapping[Place, int],
) -> tuple[Strip, ...]:
    """The strips of these places at that moment (UTC), in their order, each with how many networks
    it is about; cells of other places do not count."""
    grid = _Grid(span, at)
    cells: dict[Place, dict[int, _Cell]] = {place: {} for place in wanted}
    for one in found:
        if one.place in cells:
            cells[one.place][one.number] = one.sums
    return tuple(_strip(place, own, grid, wanted[place]) for place, own in cells.items())


def _strip(place: Place, cells: Mapping[int, _Cell], grid: _Grid, networks: int) -> Strip:
    seen = tuple(cells.get(number, _EMPTY) for number in range(grid.cells))
    hours = [networks * one for one in grid.hours]
    alike, known, watched = zip(*map(grid.look, seen, hours), strict=True)
    runs, first = list[Run](), 0
    for last in range(1, grid.cells + 1):
        if last < grid.cells and alike[last] == alike[first]:
            continue
        state, level = alike[first]
        runs.append(
            Run(
                state=state,
                level=level,
                x=grid.x[first],
                width=grid.x[last - first],
                since=grid.starts[first],
                until=grid.ends[last],
                counts=grid.counts(seen[first:last]),
            )
        )
        first = last
    return Strip(
        place=place,
        runs=tuple(runs),
        counts=dict(zip(COUNTS, grid.counts(seen), strict=True)),
        known=_of_all(known, grid.hours),
        watched=_of_all(watched, grid.hours),
    )


def _of_all(shares: Sequence[float], hours: Sequence[int]) -> float:
    """The share of all these hours: the last cell is not over yet, and weighs less."""
    covered: float = sum(map(mul, shares, hours))
    return covered / sum(hours)


def _counts(cells: tuple[_Cell, ...]) -> tuple[int, ...]:
    """Verdicts by state of all these, one at least."""
    return (cells[0] if len(cells) == 1 else tuple(map(sum, zip(*cells, strict=True))))[1:]


def _look(cell: _Cell, hours: int) -> _Look:
    """`hours` as for `_shares`."""
    known, watched = _shares(cell, hours)
    return (_state(cell), math.ceil(LEVELS * known)), known, watched


def _shares(cell: _Cell, hours: int) -> tuple[float, float]:
    """The share of decided verdicts, times that of the hours that had a measurement; and the share
    of these hours. `hours` are those that are past, of all networks together."""
    every = sum(cell) - cell[0]
    if not every or not hours:
        return 0.0, 0.0
    watched = min(1.0, cell[0] / hours)
    return (every - cell[-1]) / every * watched, watched


def _state(cell: _Cell) -> str:
    """Green is only what worked each time that it could be told."""
    _, ok, degraded, throttled, blocked, down, insufficient = cell
    failed = throttled + blocked
    decided = ok + degraded + failed + down
    if not decided:
        return State.INSUFFICIENT.value if insufficient else NO_DATA
    if 2 * failed >= decided:
        return (State.BLOCKED if blocked >= throttled else State.THROTTLED).value
    if failed or degraded:
        return State.DEGRADED.value
    return State.DOWN.value if down else State.OK.value
