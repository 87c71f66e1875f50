"""The page that compares: strips of countries, platforms and networks on one axis of time."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.analysis.verdict import State
from monitor.config.filters import FilterError
from monitor.metrics.publisher import Publisher
from monitor.metrics.snapshot import Snapshot
from monitor.server.compare import MOST_ROWS, CompareAsked, Pair, compare_asked, places_of
from monitor.server.event_filter import shown_names
from monitor.server.history import SPANS, Strip, strips
from monitor.server.history_shown import failures_told, strip_drawn, watched_networks
from monitor.server.listed_events import ListedEvents
from monitor.server.page import Reader, all_titles, page, query_of
from monitor.server.stored_history import StoredHistory
from monitor.server.timeline_chart import Axis
from monitor.server.wrong_filter import wrong_filter
from monitor.wording.history import SPAN_NAMES, axis_ends, covered, reachable_in
from monitor.wording.networks import network_name
from storage.values.history_cell import HistoryCell, Place

_MOST_PARTS = 100
"""Of the query, that the links of a page about a mistake keep."""


class ComparePage:
    """Its route."""

    def __init__(
        self,
        publisher: Publisher,
        listed: ListedEvents,
        history: StoredHistory,
        reader: Callable[[Request], Reader],
    ) -> None:
        """`reader` tells who sends a request."""
        self._publisher = publisher
        self._listed = listed
        self._history = history
        self._reader = reader

    def routes(self) -> list[Route]:
        """The only one."""
        return [Route("/compare", self._compare)]

    async def _compare(self, request: Request) -> Response:
        reader, at = self._reader(request), self._publisher.now()
        reader = msgspec.structs.replace(reader, query=query_of(request, _MOST_PARTS))
        snapshot = self._listed.snapshot(reader)
        items = request.query_params.multi_items()
        try:
            asked = await compare_asked(items, shown_names(snapshot), at, self._listed.names)
        except FilterError as error:
            return await wrong_filter(reader, at, error, reader.words.gettext("Compare"))
        live = {name: one for name, one in reader.query.items() if name == "live"}
        reader = msgspec.structs.replace(reader, query={**asked.query, **live})
        pairs = asked.pairs(snapshot.countries, snapshot.platforms)
        until = self._history.until(reader)
        rows, problem = await self._rows(reader, asked, until, pairs[:MOST_ROWS])
        return await page(
            "compare.html",
            reader,
            at,
            lambda: {**_shown(reader, snapshot, until, asked, pairs, rows), "problem": problem},
            asks=True,
        )

    async def _rows(
        self, reader: Reader, asked: CompareAsked, until: datetime, pairs: Sequence[Pair]
    ) -> tuple[list[HistoryCell], bool]:
        """The counts of these pairs, and perhaps of others; and whether any cannot be read."""
        rows: list[HistoryCell] = []
        # One question for all countries, or all platforms, that are shown.
        asked_of = dict.fromkeys(
            (country if asked.countries else "", platform if asked.platforms else "")
            for country, platform in pairs
        )
        for country, platform in asked_of:
            found, problem = await self._history.rows(
                reader, asked.history, until, country=country, platform=platform
            )
            if problem:
                return [], True
            rows += found
        return rows, bool(pairs) and not self._history.stored


def _shown(
    reader: Reader,
    snapshot: Snapshot,
    at: datetime,
    asked: CompareAsked,
    pairs: Sequence[Pair],
    rows: Sequence[HistoryCell],
) -> dict[str, Any]:
    """The values of the template."""
    words, titles, span = reader.words, all_titles(snapshot), SPANS[asked.history.span]
    hours, by_network = span.cell < timedelta(days=1), asked.history.by_network
    places = places_of(pairs, watched_networks(snapshot), rows, by_network=by_network)
    shown: dict[Place, int] = dict(list(places.items())[:MOST_ROWS])

    def choice(**changed: str | tuple[str, ...]) -> str:
        query = {**asked.query, **changed}
        return reader.link("compare", **{name: values for name, values in query.items() if values})

    def of(strip: Strip) -> dict[str, Any]:
        country, platform, asn, network = strip.place
        in_part = strip.counts[State.DEGRADED] > 0
        return {
            "country": (country in snapshot.countries and country, words.country(country)),
            "platform": (
                platform in snapshot.platforms and platform,
                titles.get(platform, platform),
            ),
            "network": network_name(words, network, asn) if by_network else "",
            "drawn": strip_drawn(words, strip, hours=hours),
            "reachable": reachable_in(words, strip.reachable, in_part=in_part),
            "covered": covered(words, strip.known, strip.watched),
            "known": round(100 * strip.known, 2),
            "watched": round(100 * strip.watched, 2),
            "failed": failures_told(words, strip, hours=hours),
        }

    countries = sorted({*snapshot.countries, *asked.countries}, key=words.country)
    platforms = dict.fromkeys([*snapshot.platforms, *asked.platforms])
    return {
        "rows": [of(strip) for strip in strips(rows, span, at, shown)],
        "cut": len(places) > MOST_ROWS,
        "most": MOST_ROWS,
        "axis_shown": Axis(since=span.since(at), until=span.until(at)),
        "axis_ends": axis_ends(words, span.since(at), span.until(at)),
        "tick_label": words.clock if asked.history.span == "day" else words.short_day,
        "countries": [(one, words.country(one), one in asked.countries) for one in countries],
        "platforms": [(one, titles.get(one, one), one in asked.platforms) for one in platforms],
        "span": asked.history.span,
        "spans": [
            (choice(span=name), words.gettext(text), name == asked.history.span)
            for name, text in SPAN_NAMES.items()
        ],
        "by_network": by_network,
        "ways": [
            (choice(by=()), words.gettext("all networks together"), not by_network),
            (choice(by=("network",)), words.gettext("each network"), by_network),
        ],
        "chosen": asked.chosen,
        "single": len(asked.countries) <= 1 and len(asked.platforms) <= 1,
    }
