"""The map of the first page: a square for each country, in the worst state of its platforms.

It is made of the cells that the table below it shows, so both always say the same.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from monitor.analysis.verdict import State
from monitor.metrics.snapshot import Snapshot
from monitor.server.matrix import WORST_FIRST, Row, of_country, worst
from monitor.server.page import Reader
from monitor.server.top_line import kind_and_state
from monitor.server.world_tiles import layout
from monitor.wording.states import EVENT_STATES
from monitor.wording.tiles import EVENT, OK_IN_PART, TILES, tile_text
from monitor.wording.words import Words

FEW = 3
"""Countries that need no map."""
SIZE = 40
"""Units of the drawing from one square to the next."""
_WIDTH, _NARROW = 46, 30
"""Pixels of a square at most, and where there are too many columns for a phone."""

_OK = WORST_FIRST.index(State.OK) + 1
_IN_ORDER = (*map(str, WORST_FIRST[:_OK]), OK_IN_PART, *map(str, WORST_FIRST[_OK:]), EVENT)
"""States and marks as the legend has them."""


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One country on the map."""

    code: str
    x: int
    """Units of the drawing from the left."""
    y: int
    state: str
    """A State, `no_data`, or `ok_in_part` where not everything is decided."""
    event: bool
    """Whether an event is active that the state does not show."""
    text: str
    """The same in words."""


class TileMap(msgspec.Struct, frozen=True, kw_only=True):
    """The drawing."""

    tiles: tuple[Tile, ...]
    width: int
    """Units of the drawing."""
    height: int
    pixels: int
    """How wide it is shown, at most."""
    wide: bool
    """Whether it is too wide for a phone, and to be moved in its frame."""
    legend: tuple[tuple[str, str], ...]
    """States and marks that it has, the worst first, with what they are called."""


def tile_map(reader: Reader, snapshot: Snapshot, rows: Sequence[Row]) -> TileMap | None:
    """The map of countries in `rows`; None for so few that the table shows them at a glance."""
    if len(rows) <= FEW:
        return None
    words = reader.words
    drawn = layout([row.country for row in rows])
    by_country = {row.country: row for row in rows}
    tiles = []
    for code, (column, line) in drawn.places.items():
        row = by_country[code]
        events = tuple(_events(words, snapshot, row))
        tiles.append(
            Tile(
                code=code,
                x=SIZE * column,
                y=SIZE * line,
                state=state_of(row),
                event=bool(events),
                text=tile_text(words, code, _counts(row), events),
            )
        )
    there = {tile.state for tile in tiles} | ({EVENT} if any(t.event for t in tiles) else set())
    return TileMap(
        tiles=tuple(tiles),
        width=SIZE * drawn.columns,
        height=SIZE * drawn.rows,
        pixels=drawn.columns * (_NARROW if drawn.wide else _WIDTH),
        wide=drawn.wide,
        legend=tuple((one, words.gettext(TILES[one])) for one in _IN_ORDER if one in there),
    )


def state_of(row: Row) -> str:
    """The worst state of a country's platforms that is decided. It is ok only where every platform
    is on every network."""
    state = worst(cell.state for cell in row.cells)
    whole = all(cell.state == State.OK and cell.networks == cell.of for cell in row.cells)
    return OK_IN_PART if state == State.OK and not whole else state


def _counts(row: Row) -> Mapping[str, int]:
    """How many platforms are in each state, the worst first."""
    counts = Counter(cell.state for cell in row.cells)
    return {str(state): counts[state] for state in WORST_FIRST if counts[state]}


def _events(words: Words, snapshot: Snapshot, row: Row) -> Iterator[str]:
    """What active events are called that the states do not show."""
    found = [cell.event for cell in row.cells if cell.event and cell.state != State.BLOCKED]
    yield from dict.fromkeys(words.gettext(EVENT_STATES[event.state]) for event in found)
    for event in of_country(snapshot, row.country):
        yield kind_and_state(words, event)
