"""The page that names a filter that cannot be used, with a link to what may have been meant."""

from collections.abc import Mapping
from datetime import datetime

from starlette.responses import Response

from monitor.config.filters import FilterError
from monitor.server.event_filter import filter_lines
from monitor.server.page import LONGEST_ID, Reader, page
from monitor.wording.filters import WrongFilter
from monitor.wording.languages import N_

EVENTS, COMPARE = "events", "compare"
_TITLES: Mapping[str, tuple[str, str]] = {
    EVENTS: (N_("Events"), N_("All events")),
    COMPARE: (N_("Compare"), N_("Choose again")),
}
"""Where a reader goes on → its title, and the words of the link."""


async def wrong_filter(
    reader: Reader, at: datetime, error: FilterError, back: str = EVENTS
) -> Response:
    """The answer, with a link to the page `back`."""
    problem, *hint = filter_lines(reader.words, error.wrong)
    title, go_on = map(reader.words.gettext, _TITLES[back])
    shown = {
        "title": title,
        "problem": problem,
        "hint": hint,
        "target": _meant(reader, error.wrong),
        "back": back,
        "go_on": go_on,
    }
    return await page("wrong_filter.html", reader, at, lambda: shown, status=400)


def _meant(reader: Reader, wrong: WrongFilter) -> str:
    """The address with what may have been meant in place of what was written; empty: unknown."""
    if not wrong.meant:
        return ""
    given = wrong.given[:LONGEST_ID]
    values = reader.query.get(wrong.filter, (given,))
    meant = tuple(wrong.meant if value == given else value for value in values)
    return reader.link(reader.path, **{**reader.query, wrong.filter: meant})
