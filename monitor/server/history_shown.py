"""The history of a country as its page shows it: strips, and in words what they say."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from monitor.analysis.verdict import State
from monitor.metrics.published_state import Snapshot
from monitor.server.history import LEVELS, SPANS, HistoryAsked, Place, Run, Strip, strips
from monitor.server.page import Reader, titles_of
from monitor.server.timeline_chart import Axis
from monitor.wording.history import SPAN_NAMES, counted, failing, known_and_reachable, stretch
from monitor.wording.networks import network_name
from storage.values.rollup import Availability

MOST_TOLD = 3
"""Stretches of one platform that are told in words."""
_TOLD = (State.BLOCKED, State.THROTTLED, State.DEGRADED, State.DOWN)
_TOGETHER = (0, "")


def history_shown(
    reader: Reader,
    snapshot: Snapshot,
    at: datetime,
    country: str,
    asked: HistoryAsked,
    rows: Sequence[Availability],
) -> dict[str, Any]:
    """The values of the template. `rows` are the counts of the country in that span."""
    words, titles, span = reader.words, titles_of(snapshot), SPANS[asked.span]
    points = [view.point for view in snapshot.vantages if view.is_field]
    networks = {(one.asn, one.network): None for one in points if one.country == country}
    known = networks | {(row.asn or 0, row.network): None for row in rows}
    shown = known if asked.by_network else {_TOGETHER: None}
    places: list[Place] = [(name, *network) for name in titles for network in shown]
    several = 1 if asked.by_network else max(1, len(networks))
    hours = span.cell < timedelta(days=1)

    def choice(**changed: str) -> str:
        query = {"span": asked.span, "by": "network" if asked.by_network else ""} | changed
        return reader.link(f"countries/{country}", **{k: v for k, v in query.items() if v})

    def of(strip: Strip) -> tuple[Any, ...]:
        told = [one for one in reversed(_by_state(strip.runs)) if one[0] in _TOLD]
        return (
            titles[strip.platform],
            network_name(words, strip.network, strip.asn) if asked.by_network else "",
            [
                (one, counted(words, stretch(words, one.since, one.until, hours=hours), one.counts))
                for one in strip.runs
                if one.level
            ],
            known_and_reachable(words, strip.reachable, strip.known),
            failing(
                words,
                [
                    (state, stretch(words, since, until, hours=hours))
                    for state, since, until in told[:MOST_TOLD]
                ],
                len(told),
            ),
        )

    return {
        "history": [of(strip) for strip in strips(rows, span, at, places, several)],
        "levels": LEVELS,
        "history_axis": Axis(since=span.since(at), until=span.until(at)),
        "history_label": words.clock if asked.span == "day" else words.short_day,
        "spans": [
            (choice(span=name), words.gettext(text), name == asked.span)
            for name, text in SPAN_NAMES.items()
        ],
        "ways": [
            (choice(by=""), words.gettext("all networks together"), not asked.by_network),
            (choice(by="network"), words.gettext("each network"), asked.by_network),
        ],
        "history_file": f"{reader.root}api/v1/availability.csv?"
        + urlencode(
            {
                "country": country,
                "period": span.period.value,
                "since": f"{span.since(at):%Y-%m-%dT%H:%MZ}",
                "by": "network" if asked.by_network else "country",
            }
        ),
    }


def _by_state(runs: Sequence[Run]) -> list[tuple[str, datetime, datetime]]:
    """State, beginning and end of runs that differ by how much is known alone, put together."""
    grouped = (list(several) for _, several in groupby(runs, key=lambda run: run.state))
    return [(several[0].state, several[0].since, several[-1].until) for several in grouped]
