"""Cards and badges: the state of a country, or of one platform there, on the pages of others.

They show what the public sees, whoever looks. Only a public server lets other sites show them.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from xml.sax.saxutils import escape

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from monitor.analysis.events.event import Event
from monitor.analysis.verdict import State
from monitor.metrics.publisher import Publisher
from monitor.metrics.snapshot import Snapshot
from monitor.server.entity_tag import tagged
from monitor.server.listed_events import ListedEvents
from monitor.server.matrix import Cell, country_rows, of_country, overall
from monitor.server.page import (
    POLICY,
    Reader,
    all_titles,
    cell_colour,
    reader_of,
    render,
    tag_colour,
)
from monitor.server.top_line import kind_and_state, top_line
from monitor.wording.events import headline
from monitor.wording.states import EVENT_STATES, STATES
from monitor.wording.words import Words, words_in
from storage.values.reviews import Mark

_FRAMED = POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
_LETTER, _AROUND, _HEIGHT = 7.2, 10, 24
"""Width of a letter, space beside a text, and height, in pixels."""
_COLOURS = {
    "ok": ("#d8f0df", "#12542a"),
    "degraded": ("#ffe9b8", "#5c3c00"),
    "partial": ("#ffe9b8", "#5c3c00"),
    "suspected": ("#ffe9b8", "#5c3c00"),
    "throttled": ("#ffd8b5", "#6a3200"),
    "blocked": ("#c2261f", "#ffffff"),
    "down": ("#dcd6f7", "#3c2a86"),
}
"""Background and text, as the page has them in light mode; any other state is grey."""
_GREY = ("#e6e9ed", "#47525d")
_URGENT = ("blocked", "suspected", "insufficient", "ok")
"""States of a country, the most urgent first."""


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a card or a badge is about."""

    reader: Reader
    at: datetime
    snapshot: Snapshot
    country: str
    cells: tuple[Cell, ...]
    """Of the one platform, or of all."""
    platform: str

    @property
    def around(self) -> tuple[Event, ...]:
        """Active events of the country that are no block."""
        return of_country(self.snapshot, self.country)


class Embedded:
    """The routes of cards and badges."""

    def __init__(
        self, publisher: Publisher, listed: ListedEvents, public: Callable[[], bool]
    ) -> None:
        """`public` returns whether everybody may read, so that other sites may show them."""
        self._publisher = publisher
        self._listed = listed
        self._public = public

    def routes(self) -> list[Route]:
        """One for each kind, of a country and of one platform there."""
        return [
            Route("/cards/{code}", self._card),
            Route("/cards/{code}/{platform}", self._card),
            Route("/badges/{code}.svg", self._badge),
            Route("/badges/{code}/{platform}.svg", self._badge),
        ]

    def _shown(self, request: Request) -> _Shown:
        """HTTPException 404 for a country or platform that is not watched."""
        reader = msgspec.structs.replace(reader_of(request), operator=False)
        at, snapshot = self._publisher.now(), self._listed.snapshot(reader)
        code, platform = request.path_params["code"], request.path_params.get("platform", "")
        rows = [row for row in country_rows(snapshot, at) if row.country == code]
        cells = tuple(one for row in rows for one in row.cells if platform in ("", one.platform))
        if not cells:
            raise HTTPException(404)
        return _Shown(
            reader=reader, at=at, snapshot=snapshot, country=code, cells=cells, platform=platform
        )

    async def _card(self, request: Request) -> Response:
        marks = await self._listed.marks()
        # In a thread, as a route that waits for nothing runs.
        return await asyncio.to_thread(self._card_of, request, marks)

    def _card_of(self, request: Request, marks: Mapping[str, Mark]) -> Response:
        shown = self._shown(request)
        words, titles = shown.reader.words, all_titles(shown.snapshot)
        now = overall(shown.snapshot, shown.at, shown.country)
        events = [cell.event for cell in shown.cells if cell.event is not None]
        if not shown.platform:
            events += [one for one in shown.snapshot.unwatched if one.country == shown.country]
        events += shown.around
        text = render(
            "card.html",
            shown.reader,
            shown.at,
            country=shown.country,
            cells=shown.cells,
            events=[(event, headline(words, event, titles)) for event in events],
            held=marks,
            overall=now,
            headline=top_line(words, now, controls=shown.snapshot.has_controls),
            whole=not shown.platform,
        )
        headers = {"Content-Security-Policy": POLICY}
        if self._public():
            # An empty value is no value: a browser then asks the policy alone.
            headers = {"Content-Security-Policy": _FRAMED, "X-Frame-Options": ""}
        return HTMLResponse(text, headers=self._open(headers))

    def _badge(self, request: Request) -> Response:
        shown = self._shown(request)
        words = words_in(shown.reader.language)
        if shown.platform:
            (cell,) = shown.cells
            name = words.dotted([cell.title, words.country(shown.country)])
            state, said = _of_cell(words, cell)
        else:
            now = overall(shown.snapshot, shown.at, shown.country)
            name, state = words.country(shown.country), now.state
            said = top_line(words, now, controls=shown.snapshot.has_controls)
            if shown.around:
                state = min((state, *map(tag_colour, shown.around)), key=_URGENT.index)
                said = "" if now.nothing_seen else said
        around = [kind_and_state(words, event) for event in shown.around]
        said = words.dotted(filter(None, [said, *around]))
        drawn = _svg(name, said, _COLOURS.get(state, _GREY), shown.reader.language.direction)
        return tagged(request, drawn.encode(), "image/svg+xml", self._open({}))

    def _open(self, headers: dict[str, str]) -> dict[str, str]:
        if self._public():
            headers |= {"Cross-Origin-Resource-Policy": "cross-origin"}
        return headers


def _of_cell(words: Words, cell: Cell) -> tuple[str, str]:
    said = [words.gettext(STATES[cell.state])]
    if cell.of > 1:
        x, n = words.number(cell.networks), words.number(cell.of)
        said.append(words.gettext("%(x)s of %(n)s networks", x=x, n=n))
    if cell.event is not None and cell.state != State.BLOCKED:
        state = words.gettext(EVENT_STATES[cell.event.state])
        said.append(words.gettext("event: %(state)s", state=state))
    return cell_colour(cell), words.dotted(said)


def _svg(name: str, said: str, colours: tuple[str, str], direction: str) -> str:
    left, right = (round(len(text) * _LETTER) + 2 * _AROUND for text in (name, said))
    width = left + right
    label = escape(f"{name}: {said}", {chr(34): "&quot;"})
    back, ink = colours

    def text(x: float, colour: str, shown: str) -> str:
        return (
            f'<text x="{x}" y="16" fill="{colour}" text-anchor="middle" direction="{direction}">'
            f"{escape(shown)}</text>"
        )

    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" '
        f'role="img" aria-label="{label}"><title>{label}</title>'
        f'<rect width="{left}" height="{_HEIGHT}" fill="#16202b"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{back}"/>'
        '<g font-family="Verdana, DejaVu Sans, Noto Sans, sans-serif" font-size="12">'
        f"{text(left / 2, '#ffffff', name)}{text(left + right / 2, ink, said)}</g></svg>\n"
    )
