"""The page that names a filter that cannot be used, with a link to what may have been meant."""

from datetime import datetime

from starlette.responses import Response

from monitor.config.filters import FilterError
from monitor.server.event_filter import filter_lines
from monitor.server.page import LONGEST_ID, Reader, page
from monitor.wording.filters import WrongFilter


async def wrong_filter(reader: Reader, at: datetime, error: FilterError, title: str) -> Response:
    """The answer, titled as the page it stands for, with a link to that page without filters."""
    problem, *hint = filter_lines(reader.words, error.wrong)
    shown = {
        "title": title,
        "page": reader.path,
        "problem": problem,
        "hint": hint,
        "target": _meant(reader, error.wrong),
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
