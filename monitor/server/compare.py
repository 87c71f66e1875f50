"""What the page that compares is asked for, and which rows that makes."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from monitor.config.filters import Filters, selection_of
from monitor.server.event_filter import refused
from monitor.server.history import HistoryAsked, history_asked, most_networks
from monitor.wording.filters import Fault
from storage.values.history_cell import HistoryCell, Place
from storage.values.names import Names

MOST_ROWS = 40
"""Rows of one comparison."""
FILTERS = ("country", "platform", "span", "by")
"""What an address may have."""
_OF_EVERY_PAGE = ("lang", "live")
Pair = tuple[str, str]
"""A country and a platform."""
Network = tuple[int, str]
"""AS number and name."""
_TOGETHER: Network = (0, "")


class CompareAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader compares."""

    countries: tuple[str, ...] = ()
    """Codes, in the reader's order; empty: all."""
    platforms: tuple[str, ...] = ()
    """Names; empty: all."""
    history: HistoryAsked

    @property
    def chosen(self) -> bool:
        """Whether anything is."""
        return bool(self.countries or self.platforms)

    @property
    def query(self) -> dict[str, tuple[str, ...]]:
        """The query that asks for it."""
        found = {
            "country": self.countries,
            "platform": self.platforms,
            "span": (self.history.span,),
            "by": ("network",) if self.history.by_network else (),
        }
        return {name: values for name, values in found.items() if values}

    def pairs(self, countries: Iterable[str], platforms: Iterable[str]) -> tuple[Pair, ...]:
        """A country and a platform for each row, a platform's countries side by side, where these
        are all there are: one more than MOST_ROWS at most."""
        where, what = self.countries or tuple(countries), self.platforms or tuple(platforms)
        every = ((country, platform) for platform in what for country in where)
        return tuple(islice(every, MOST_ROWS + 1)) if self.chosen else ()


async def compare_asked(
    items: Iterable[tuple[str, str]],
    known: Names,
    at: datetime,
    stored: Callable[[], Awaitable[Names]],
) -> CompareAsked:
    """What a query asks for. FilterError."""
    values: dict[str, dict[str, None]] = {name: {} for name in FILTERS}
    for name, value in items:
        if name not in FILTERS and name not in _OF_EVERY_PAGE:
            raise refused("", Fault.FILTER, name, FILTERS)
        if value and name in FILTERS:
            values[name][value] = None

    async def checked(**wanted: str) -> Pair:
        found = await selection_of(Filters(**wanted), known, at, stored)
        return found.country, found.platform

    countries = [(await checked(country=one))[0] for one in values["country"]]
    platforms = [(await checked(platform=one))[1] for one in values["platform"]]
    how = [(name, value) for name in ("span", "by") for value in values[name]]
    return CompareAsked(
        countries=tuple(dict.fromkeys(countries)),
        platforms=tuple(dict.fromkeys(platforms)),
        history=history_asked(how),
    )


def places_of(
    pairs: Sequence[Pair],
    watched: Mapping[str, Collection[Network]],
    cells: Iterable[HistoryCell],
    *,
    by_network: bool,
) -> dict[Place, int]:
    """The rows for these pairs, each with how many networks it is about: those that are `watched`
    now by country, or as many as `cells` have of earlier. A pair has a row even where nobody ever
    watched."""
    cells = list(cells)
    earlier: dict[Pair, dict[Network, None]] = {}
    for one in cells:
        country, platform, asn, network = one.place
        earlier.setdefault((country, platform), {})[asn, network] = None
    most = most_networks(cells)
    found: dict[Place, int] = {}
    for pair in pairs:
        now = watched.get(pair[0], ())
        if by_network:
            every = dict.fromkeys([*now, *earlier.get(pair, ())]) or (_TOGETHER,)
            found |= {(*pair, *network): 1 for network in every}
        else:
            found[*pair, *_TOGETHER] = max(len(now), most[pair], 1)
    return found
