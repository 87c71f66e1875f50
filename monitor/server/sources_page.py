"""The page about what others measure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from monitor.analysis.events.event import Event, EventState
from monitor.metrics.snapshot import Snapshot
from monitor.metrics.source_view import SourceView
from monitor.server.page import Reader
from monitor.sources.terms import SourceKind
from monitor.wording.events import ending, onset, what_happened
from monitor.wording.sources import (
    EXPLANATION,
    LABEL,
    ON_DEMAND,
    OUTSIDE,
    OWN_AGREE,
    OWN_REACH,
    OWN_SILENT,
    aside,
    drop,
    health,
    seen,
)
from monitor.wording.words import Words

_MOST_SIGNALS = 50
_EXPLANATIONS: Mapping[str, str] = {
    SourceKind.IODA: OUTSIDE,
    SourceKind.GLOBALPING: ON_DEMAND,
    SourceKind.ATLAS: ON_DEMAND,
}


def sources_shown(reader: Reader, snapshot: Snapshot, at: datetime) -> dict[str, Any]:
    """The values of the page's template."""
    words = reader.words
    titles = {platform.name: platform.title for platform in snapshot.catalog.platforms}
    return {
        "label": LABEL,
        "sources": [
            {
                "view": view,
                "answers": view.answers(at),
                "health": how_it_is(words, view, at),
                "aside": aside(words, view.kind, view.aside.problem),
                "events": [
                    (*line, own_position(words, snapshot, line[0], at))
                    for line in event_lines(words, view, titles)
                ],
                "explanation": _EXPLANATIONS.get(view.kind, EXPLANATION),
                "countries": []
                if view.outside
                else [
                    (words.country(country), _cells(words, view, country, titles))
                    for country in view.countries
                ],
                "signals": [
                    (
                        words.country(one.country),
                        drop(words, one.datasource, one.drop),
                        one,
                    )
                    for one in reversed(view.state.signals)
                    if one.country in view.countries
                ][:_MOST_SIGNALS],
            }
            for view in snapshot.sources
        ],
    }


def how_it_is(words: Words, view: SourceView, at: datetime) -> str:
    """Whether a source is read, in words."""
    return health(
        words,
        view.state.problem,
        answered=view.state.answered_at is not None,
        answers=view.answers(at),
    )


def event_lines(
    words: Words, view: SourceView, titles: dict[str, str]
) -> list[tuple[Event, str, str]]:
    """Each event of a source, in words, with its times; the newest first."""
    return [
        (one.event, what_happened(words, one.event, titles), _times(words, one.event))
        for one in reversed(view.events)
    ]


def _times(words: Words, event: Event) -> str:
    """Since when it is so, or from when to when it was."""
    if event.active:
        return words.gettext("since %(when)s", when=onset(words, event))
    said = [words.gettext("Began %(when)s.", when=onset(words, event))]
    ended = ending(words, event)
    if ended is not None:
        said.append(words.gettext("Ended %(when)s.", when=ended))
    return words.dotted(said)


def own_position(words: Words, snapshot: Snapshot, event: Event, at: datetime) -> str:
    """What our own vantage points find now of what volunteers see; empty once that is over."""
    if not event.active:
        return ""
    place = (event.country, event.platform)
    own = snapshot.events.get(place)
    if own is not None and own.state is EventState.CONFIRMED:
        return words.gettext(OWN_AGREE)
    coverage = snapshot.coverage_by_pair(at).get(place)
    if own is None and coverage is not None and coverage.decided and not coverage.signs:
        return words.gettext(OWN_REACH)
    return words.gettext(OWN_SILENT)


def _cells(
    words: Words, view: SourceView, country: str, titles: dict[str, str]
) -> Sequence[tuple[str, str, bool]]:
    """Platform, what was measured of it in the last day, and whether an event is active."""
    active = {one.platform for one in view.events if one.active and one.country == country}
    cells = []
    for platform in view.platforms:
        counts = [
            count for where, count in view.counts if (where, count.platform) == (country, platform)
        ]
        text = seen(
            words,
            sum(one.total for one in counts),
            sum(one.failed for one in counts),
            len({one.asn for one in counts}),
        )
        cells.append((titles.get(platform, platform), text, platform in active))
    return cells
