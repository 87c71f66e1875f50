"""A history as the page of a country or of a platform shows it: strips, and words that say it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from monitor.analysis.verdict import State
from monitor.metrics.snapshot import Snapshot
from monitor.server.history import LEVELS, SPANS, HistoryAsked, Run, Strip, most_networks, strips
from monitor.server.page import Reader, slug, titles_of
from monitor.server.timeline_chart import Axis
from monitor.wording.history import (
    SPAN_NAMES,
    axis_ends,
    counted,
    failing,
    known_and_reachable,
    stretch,
)
from monitor.wording.html import escaped
from monitor.wording.networks import network_name
from monitor.wording.words import Words
from storage.values.history_cell import HistoryCell, Place

MOST_TOLD = 3
"""Stretches of one platform that are told in words."""
_TOLD = (State.BLOCKED, State.THROTTLED, State.DEGRADED, State.DOWN)
_TOGETHER = (0, "")
HEIGHT = 20
"""Of a strip, in pixels."""


def history_shown(
    reader: Reader,
    snapshot: Snapshot,
    at: datetime,
    asked: HistoryAsked,
    rows: Sequence[HistoryCell],
    *,
    country: str = "",
    platform: str = "",
) -> dict[str, Any]:
    """The values of the template for all platforms of a country, or all countries of a platform.
    `rows` are their counts in that span."""
    words, titles, span = reader.words, titles_of(snapshot), SPANS[asked.span]
    hours = span.cell < timedelta(days=1)
    here = f"platforms/{platform}" if platform else f"countries/{country}"
    places = {
        place: number
        for place, number in _places(snapshot, rows, by_network=asked.by_network).items()
        if country in ("", place[0]) and platform in ("", place[1])
    }

    def choice(**changed: str) -> str:
        query = {**_query(asked), **changed}
        return reader.link(here, **{k: v for k, v in query.items() if v})

    def of(strip: Strip) -> tuple[Any, ...]:
        where, what, asn, network = strip.place
        return (
            reader.link(f"countries/{where}" if platform else f"platforms/{what}"),
            words.country(where) if platform else titles[what],
            network_name(words, network, asn) if asked.by_network else "",
            strip_drawn(words, strip, hours=hours),
            known_and_reachable(
                words,
                strip.reachable,
                strip.known,
                in_part=strip.counts[State.DEGRADED] > 0,
            ),
            failures_told(words, strip, hours=hours),
        )

    return {
        "history": [of(strip) for strip in strips(rows, span, at, places)],
        "history_of": words.gettext("Country") if platform else words.gettext("Platform"),
        "history_axis": Axis(since=span.since(at), until=span.until(at)),
        "history_ends": axis_ends(words, span.since(at), span.until(at)),
        "history_label": words.clock if asked.span == "day" else words.short_day,
        "spans": [
            (choice(span=name), words.gettext(text), name == asked.span)
            for name, text in SPAN_NAMES.items()
        ],
        "ways": [
            (choice(by=""), words.gettext("all networks together"), not asked.by_network),
            (choice(by="network"), words.gettext("each network"), asked.by_network),
        ],
        "compare": reader.link(
            "compare",
            **({"country": country} if country else {"platform": platform}),
            **_query(asked),
        ),
        "history_file": f"{reader.root}api/v1/availability.csv?"
        + urlencode(
            {
                **({"country": country} if country else {"platform": platform}),
                "period": span.period.value,
                "since": f"{span.since(at):%Y-%m-%dT%H:%MZ}",
                "by": "network" if asked.by_network else "country",
            }
        ),
    }


def _query(asked: HistoryAsked) -> dict[str, str]:
    return {"span": asked.span, **({"by": "network"} if asked.by_network else {})}


def strip_drawn(words: Words, strip: Strip, *, hours: bool) -> Markup:
    """The runs of a strip of which anything is known, each with what it says; `hours`, where cells
    are shorter than a day."""
    drawn = "".join(_drawn(words, run, hours=hours) for run in strip.runs if run.level)
    return Markup(  # noqa: S704 - our own, and what is said is escaped
        f'<svg class="strip" width="100%" height="{HEIGHT}" aria-hidden="true" focusable="false">\n'
        f'<rect class="rail" x="0" y="{HEIGHT - 1}" width="100%" height="1"/>\n{drawn}</svg>\n'
    )


# Not by the template: a page of years has thousands of these, and a minute later all but the newest
# are the same.
@lru_cache(maxsize=10_000)
def _drawn(words: Words, run: Run, *, hours: bool) -> str:
    said = escaped(counted(words, run.since, run.until, run.counts, hours=hours))
    height = HEIGHT * run.level // LEVELS
    return (
        f'<rect class="{slug(run.state)}" x="{run.x}%" y="{HEIGHT - height}" '
        f'width="{run.width}%" height="{height}"><title>{said}</title></rect>\n'
    )


def failures_told(words: Words, strip: Strip, *, hours: bool) -> str:
    """When a strip's platform failed, and how: the newest first."""
    told = [one for one in reversed(_by_state(strip.runs)) if one[0] in _TOLD]
    newest = [
        (state, stretch(words, since, until, hours=hours))
        for state, since, until in told[:MOST_TOLD]
    ]
    return failing(words, newest, len(told))


def watched_networks(snapshot: Snapshot) -> dict[str, dict[tuple[int, str], None]]:
    """Country → the AS numbers and names of its networks."""
    networks: dict[str, dict[tuple[int, str], None]] = {one: {} for one in snapshot.countries}
    for view in snapshot.vantages:
        if view.is_field:
            networks[view.point.country][view.point.asn, view.point.network] = None
    return networks


def _places(
    snapshot: Snapshot, rows: Sequence[HistoryCell], *, by_network: bool
) -> dict[Place, int]:
    """What is watched, and on how many networks; with `by_network` also what once was. A network
    that is no longer watched still counts in the time in which it was."""
    networks = watched_networks(snapshot)
    if not by_network:
        most = most_networks(rows)
        return {
            (country, name, *_TOGETHER): max(1, len(known), most[country, name])
            for country, known in networks.items()
            for name in titles_of(snapshot)
        }
    for country, _, asn, network in dict.fromkeys(one.place for one in rows):
        networks.setdefault(country, {})[asn, network] = None
    return {
        (country, name, *network): 1
        for country, known in networks.items()
        for name in titles_of(snapshot)
        for network in known
    }


def _by_state(runs: Sequence[Run]) -> list[tuple[str, datetime, datetime]]:
    """State, beginning and end of runs that differ by how much is known alone, put together."""
    grouped = (list(several) for _, several in groupby(runs, key=lambda run: run.state))
    return [(several[0].state, several[0].since, several[-1].until) for several in grouped]
