"""The filter of the page of events, read from its address."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.event import Event
from monitor.config.filters import FilterError, Filters, names_of, selection_of
from monitor.config.toml_node import close_to
from monitor.metrics.snapshot import Snapshot
from monitor.wording.filters import Fault, WrongFilter, filter_problem
from monitor.wording.languages import N_
from monitor.wording.states import EVENT_STATES
from monitor.wording.words import Words
from storage.values.names import Names
from storage.values.selection import Selection

PAGES = range(1, 101)
"""Pages of the list that can be asked for; files and the API have the rest."""
DAYS = (7, 30, 90, 365)
"""How far back the list of events can look."""
LABELS: Mapping[str, str] = {
    "country": N_("Country"),
    "platform": N_("Platform"),
    "state": N_("State"),
    "days": N_("Last"),
}
"""What the page calls each filter."""
_EVERYWHERE = frozenset((*Filters.__struct_fields__, *LABELS, "page", "span", "by"))
"""Filters of the API and of all pages: to ignore one would show what it leaves out."""
_LONGEST = 40
"""Characters of a name that are compared with those of filters."""


class EventFilter(msgspec.Struct, frozen=True):
    """Which events are listed."""

    country: str = ""
    platform: str = ""
    state: str = ""
    days: int = DAYS[1]
    page: int = PAGES[0]

    @property
    def filtered(self) -> bool:
        """Whether some events are left out, however new they are."""
        return bool(self.country or self.platform or self.state)

    def selection(self, at: datetime) -> Selection:
        """What it selects at that moment."""
        return Selection(
            since=at - timedelta(days=self.days),
            country=self.country,
            platform=self.platform,
            state=self.state,
        )

    def includes(self, event: Event) -> bool:
        """Whether it selects an event that is active now."""
        return (
            self.country in ("", event.country)
            and self.platform in ("", event.platform)
            and self.state in ("", event.state)
        )

    def query(self, **changed: object) -> dict[str, object]:
        """The query of the first page of the same filter, with one part changed."""
        asked = {**msgspec.structs.asdict(self), "page": 0, **changed}
        return {name: value for name, value in asked.items() if value}


def asked_once(items: Iterable[tuple[str, str]], filters: Collection[str]) -> dict[str, str]:
    """The values of these filters in a query string. FilterError for a filter of another page, or a
    mistyped one, and for a second value: to take one of two would leave out what the other selects.
    Whatever else is there is not ours."""
    found: dict[str, str] = {}
    for name, value in items:
        if name not in filters:
            if name in _EVERYWHERE or close_to(name[:_LONGEST], filters):
                raise refused("", Fault.FILTER, name, filters)
        elif found.setdefault(name, value) != value:
            raise refused(name, Fault.TWICE, value, ())
    return found


async def read_filter(
    items: Iterable[tuple[str, str]],
    known: Names,
    at: datetime,
    stored: Callable[[], Awaitable[Names]],
) -> EventFilter:
    """The filter in a query string. Raises FilterError for a part that cannot be used."""
    query = asked_once(items, (*LABELS, "page"))
    country, platform = query.get("country", ""), query.get("platform", "")
    checked = await selection_of(Filters(country=country, platform=platform), known, at, stored)
    state, days = query.get("state", ""), query.get("days", "")
    if state and state not in EVENT_STATES:
        raise refused("state", Fault.CHOICE, state, EVENT_STATES)
    if days and days not in map(str, DAYS):
        raise refused("days", Fault.CHOICE, days, list(map(str, DAYS)))
    page = query.get("page", "")
    if page and page not in map(str, PAGES):
        raise refused("page", Fault.CHOICE, page, [f"{PAGES[0]}-{PAGES[-1]}"])
    return EventFilter(
        checked.country,
        checked.platform,
        state,
        int(days) if days else EventFilter().days,
        int(page) if page else EventFilter().page,
    )


def filter_lines(words: Words, wrong: WrongFilter) -> Sequence[str]:
    """What is wrong with a filter, with the page's name for it, and maybe a hint."""
    label = LABELS.get(wrong.filter)
    return filter_problem(words, wrong, words.gettext(label) if label else "")


def shown_names(snapshot: Snapshot) -> Names:
    """The names of the configuration in use."""
    return names_of(snapshot.catalog, (view.point for view in snapshot.vantages))


def refused(name: str, fault: Fault, given: str, known: Collection[str]) -> FilterError:
    """What to raise for a filter, with those that are `known`."""
    meant = close_to(given, known) if name else ""
    return FilterError(
        WrongFilter(filter=name, fault=fault, given=given, meant=meant, known=tuple(known))
    )
