"""What the page of all events shows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from monitor.analysis.events.event import Event
from monitor.metrics.snapshot import Snapshot
from monitor.server import timeline_chart as timeline
from monitor.server.event_filter import DAYS, LABELS, EventFilter
from monitor.server.feeds import FEEDS
from monitor.server.listed_events import A_PAGE
from monitor.server.page import Context, Reader, all_titles
from monitor.wording.events import (
    ending,
    goes_on,
    onset,
    what_happened,
)
from monitor.wording.states import EVENT_STATES


def events_shown(
    reader: Reader,
    snapshot: Snapshot,
    at: datetime,
    listed: Sequence[Event],
    wanted: EventFilter,
    continued: Collection[str] = (),
) -> Context:
    """One page of events, `listed` of them in all, and the ways to others. Those in `continued` go
    on as another one."""
    words, titles = reader.words, all_titles(snapshot)
    before = (wanted.page - 1) * A_PAGE
    shown = listed[before : before + A_PAGE]
    others = {
        words.gettext("Newer events"): wanted.page - 1,
        words.gettext("Older events"): wanted.page + 1 if len(listed) > before + A_PAGE else 0,
    }
    axis = timeline.axis_of(shown, at, timedelta(days=wanted.days))
    asked = wanted.query(since=f"{at - timedelta(days=wanted.days):%Y-%m-%d}")
    asked.pop("days")

    def what(event: Event) -> str:
        said = goes_on if event.id in continued else what_happened
        return said(words, event, titles)

    return {
        "events": [
            (
                event,
                what(event),
                onset(words, event),
                ending(words, event),
                timeline.event_bars(axis, event),
            )
            for event in shown
        ],
        "other_pages": [
            (reader.link("events", **wanted.query(page=number if number > 1 else 0)), name)
            for name, number in others.items()
            if number
        ],
        "filtered": wanted.filtered,
        "filters": _filters(reader, snapshot, wanted, listed),
        "time_axis": axis,
        "tick_label": timeline.tick_label(words, axis),
        "files": f"{reader.root}api/v1/events",
        "file_query": f"?{urlencode(asked)}",
        "feeds": {name: reader.link(name, **_of_feed(wanted)) for name in FEEDS},
    }


def _of_feed(wanted: EventFilter) -> dict[str, object]:
    """The query of a feed: what ended, and how long ago, is for its reader to sort."""
    return wanted.query(state="", days="")


def _filters(
    reader: Reader, snapshot: Snapshot, wanted: EventFilter, listed: Sequence[Event]
) -> list[tuple[str, list[tuple[str, object, bool]]]]:
    words, titles = reader.words, all_titles(snapshot)
    everything = words.gettext("all")
    # What is no longer watched can be asked for where there is something of it.
    named = dict.fromkeys([*snapshot.platforms, *(e.platform for e in listed), wanted.platform])
    known = dict.fromkeys([*snapshot.countries, *(e.country for e in listed), wanted.country])

    def choices(
        name: str, values: Sequence[tuple[object, object]], now: object
    ) -> list[tuple[str, object, bool]]:
        return [
            (reader.link("events", **wanted.query(**{name: value})), shown, value == now)
            for value, shown in values
        ]

    countries = [("", everything), *((c, words.country(c)) for c in known if c)]
    platforms = [("", everything), *((p, titles.get(p, words.name(p))) for p in named if p)]
    states = [("", everything), *((s, words.gettext(m)) for s, m in EVENT_STATES.items())]
    days = [(n, words.ngettext("%(n)s day", "%(n)s days", n)) for n in DAYS]
    offered: Mapping[str, Sequence[tuple[object, object]]]
    offered = {"country": countries, "platform": platforms, "state": states, "days": days}
    return [
        (words.gettext(label), choices(name, offered[name], getattr(wanted, name)))
        for name, label in LABELS.items()
    ]
