"""The past as strips: of each platform, how much of each hour or day it worked, and how much of it
is known.

A strip is cut into cells of equal length. A cell's colour is what its verdicts say, its height how
much of its time they cover: where nobody looked, or nothing could be told, there is none.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import msgspec

from monitor.analysis.verdict import State
from monitor.server.event_filter import refused
from monitor.wording.filters import Fault
from monitor.wording.states import NO_DATA
from storage.values.rollup import Availability, Period

LEVELS = 4
"""Heights of a cell."""
_FAILS = (State.BLOCKED, State.THROTTLED)
_DECIDED = (State.OK, State.DEGRADED, *_FAILS, State.DOWN)
_COUNTED = tuple((state, state.value) for state in (*_DECIDED, State.INSUFFICIENT))
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


def history_asked(query: Mapping[str, str]) -> HistoryAsked:
    """What a query string asks for. FilterError."""
    span, way = query.get("span", USUAL), query.get("by", "")
    if span not in SPANS:
        raise refused("span", Fault.CHOICE, span, SPANS)
    if way and way not in WAYS:
        raise refused("by", Fault.CHOICE, way, WAYS)
    return HistoryAsked(span=span, by_network=bool(way))


Place = tuple[str, str, int, str]
"""Country, platform, AS number and network; 0 and empty for all networks of a country."""


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
    counts: Counter[State]
    """Verdicts by state."""


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """One platform in a country, or on one of its networks."""

    place: Place
    runs: tuple[Run, ...]
    counts: Counter[State]
    known: float
    """The share (0–1) of the time that decided verdicts cover."""
    watched: float
    """The share (0–1) of the time that any verdict covers."""

    @property
    def decided(self) -> int:
        """Verdicts that say something."""
        return _decided(self.counts)

    @property
    def reachable(self) -> float | None:
        """The share (0–1) of decided verdicts by which people could use it; None: of none."""
        works = self.counts[State.OK] + self.counts[State.DEGRADED]
        return works / self.decided if self.decided else None


class _Cell(msgspec.Struct):
    counts: Counter[State] = msgspec.field(default_factory=Counter)
    hours: int = 0
    """Hours with a measurement, summed over networks."""


def strips(
    rows: Iterable[Availability],
    span: Span,
    at: datetime,
    wanted: Mapping[Place, int],
) -> tuple[Strip, ...]:
    """The strips of these places at that moment (UTC), in their order, each with how many networks
    it is about; `rows` of other places do not count."""
    since = span.since(at)
    found: dict[Place, list[_Cell]] = {
        place: [_Cell() for _ in range(span.cells)] for place in wanted
    }
    for row in rows:
        cells = found.get((row.country, row.platform, row.asn or 0, row.network))
        place = (row.starts_at - since) // span.cell
        if cells is None or not 0 <= place < span.cells:
            continue
        cell = cells[place]
        cell.hours += row.hours
        for state, name in _COUNTED:
            if number := getattr(row, name):
                cell.counts[state] += number
    return tuple(_strip(place, cells, span, at, wanted[place]) for place, cells in found.items())


def _strip(place: Place, cells: Sequence[_Cell], span: Span, at: datetime, networks: int) -> Strip:
    since = span.since(at)
    begins = (since + number * span.cell for number in range(span.cells))
    hours = [max(0, math.ceil((min(at, one + span.cell) - one) / _HOUR)) for one in begins]
    shares = [_shares(cell, past * networks) for cell, past in zip(cells, hours, strict=True)]
    looks = [
        (_state(cell.counts), math.ceil(LEVELS * known))
        for cell, (known, _) in zip(cells, shares, strict=True)
    ]
    runs, width = list[Run](), 100 / span.cells
    for (state, level), grouped in groupby(range(span.cells), key=looks.__getitem__):
        numbers = list(grouped)
        first, last = numbers[0], numbers[-1] + 1
        runs.append(
            Run(
                state=state,
                level=level,
                x=round(first * width, 2),
                width=round(len(numbers) * width, 2),
                since=since + first * span.cell,
                until=min(at, since + last * span.cell),
                counts=_sum(cells[number] for number in numbers),
            )
        )
    return Strip(
        place=place,
        runs=tuple(runs),
        counts=_sum(cells),
        known=_of_all((known for known, _ in shares), hours),
        watched=_of_all((watched for _, watched in shares), hours),
    )


def _of_all(shares: Iterable[float], hours: Sequence[int]) -> float:
    """The share of all these hours: the last cell is not over yet, and weighs less."""
    return sum(share * past for share, past in zip(shares, hours, strict=True)) / sum(hours)


def _sum(cells: Iterable[_Cell]) -> Counter[State]:
    total = Counter[State]()
    for cell in cells:
        total.update(cell.counts)
    return total


def _decided(counts: Counter[State]) -> int:
    return sum(number for state, number in counts.items() if state is not State.INSUFFICIENT)


def _shares(cell: _Cell, hours: int) -> tuple[float, float]:
    """The share of decided verdicts, times that of the hours that had a measurement; and the share
    of these hours. `hours` are those that are past, of all networks together."""
    every = _decided(cell.counts) + cell.counts[State.INSUFFICIENT]
    if not every or not hours:
        return 0.0, 0.0
    watched = min(1.0, cell.hours / hours)
    return _decided(cell.counts) / every * watched, watched


def _state(counts: Counter[State]) -> str:
    """Green is only what worked each time that it could be told."""
    decided = _decided(counts)
    if not decided:
        return State.INSUFFICIENT.value if counts[State.INSUFFICIENT] else NO_DATA
    failed = sum(counts[state] for state in _FAILS)
    if 2 * failed >= decided:
        return max(_FAILS, key=lambda state: counts[state]).value
    if failed or counts[State.DEGRADED]:
        return State.DEGRADED.value
    return State.DOWN.value if counts[State.DOWN] else State.OK.value
