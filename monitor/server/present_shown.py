"""What the front page, and those of a country and of a platform, show of the present."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from markupsafe import Markup

from monitor.analysis.coverage import Coverage
from monitor.analysis.events.event import Event, EventState
from monitor.analysis.verdict import VantageState
from monitor.metrics.snapshot import Snapshot, VantageView
from monitor.server.checklist import checklist
from monitor.server.matrix import Cell, Row, country_rows, network_rows, overall
from monitor.server.page import Context, Reader, age, all_titles
from monitor.server.sources_page import event_lines, how_it_is
from monitor.server.tile_map import tile_map
from monitor.server.top_line import top_line
from monitor.wording.coverage import coverage_now, coverage_remarks
from monitor.wording.events import (
    ending,
    headline,
    onset,
    what_happened,
)
from monitor.wording.html import HtmlWords
from monitor.wording.networks import network_name
from monitor.wording.rules import HEALTH_RULE_MEANINGS, sentence
from monitor.wording.vantage_health import VANTAGE_MEANINGS, notes
from monitor.wording.words import Words
from storage.values.reviews import Mark


def now_shown(
    reader: Reader,
    snapshot: Snapshot,
    at: datetime,
    held: Mapping[str, Mark],
    known: Collection[str] = (),
    bucket: float = 0.0,
) -> Context:
    """The front page, without what is over. `held` are reviews by event, `known` the lines of the
    checklist that somebody knows of, `bucket` the seconds into which times of tests are put."""
    words, titles = reader.words, all_titles(snapshot)
    now = overall(snapshot, at)
    events = sorted(snapshot.blocks, key=_urgency)
    rows = _by_name(words, country_rows(snapshot, at, bucket))
    return {
        "checklist": checklist(words, snapshot, at, known) if reader.operator else None,
        "overall": now,
        "held": held,
        "headline": top_line(words, now, controls=snapshot.has_controls),
        "remarks": _remarks(words, snapshot, now.coverage, events=not now.nothing_seen),
        "events": [(event, headline(words, event, titles)) for event in events],
        "circumstances": _circumstances(words, snapshot.circumstances, titles),
        "volunteers": [
            (
                source,
                [line for line in event_lines(words, source, titles) if line[0].active],
                "" if source.answers(at) else how_it_is(words, source, at),
            )
            for source in snapshot.sources
            if not source.outside
        ],
        "map": tile_map(reader, snapshot, rows),
        "rows": rows,
        "country_head": lambda row: _country_head(reader, row, at),
        "cell_link": lambda row, cell: _cell_link(reader, row, cell),
        "platform_count": len(snapshot.platforms),
        "vantage_count": len(snapshot.vantages),
        "seconds": snapshot.interval,
    }


def _circumstances(
    words: Words, events: Sequence[Event], titles: Mapping[str, str]
) -> list[tuple[Event, str, str]]:
    """Active events that are no blocks, each with what happens and since when."""
    return [
        (
            event,
            what_happened(words, event, titles),
            words.gettext("since %(when)s", when=onset(words, event)),
        )
        for event in events
    ]


def _by_name(words: Words, rows: Sequence[Row]) -> list[Row]:
    """Countries in the order of their names."""
    return sorted(rows, key=lambda row: words.country(row.country))


def _urgency(event: Event) -> tuple[int, float]:
    """What is certain first, then the newest."""
    order = (
        EventState.CONFIRMED,
        EventState.SUSPECTED,
        EventState.RECOVERING,
        EventState.UNOBSERVED,
    )
    return order.index(event.state), -event.onset_latest.timestamp()


def _remarks(
    words: Words, snapshot: Snapshot, coverage: Coverage, *, events: bool
) -> Sequence[str]:
    """What a headline about the present leaves out; of `events`, that nobody sees them now."""
    if not events:
        return list(coverage_remarks(words, coverage, controls=snapshot.has_controls))
    unseen = coverage_now(words, coverage, controls=snapshot.has_controls)
    return [] if coverage.cycles else [words.gettext("%(what)s.", what=unseen)]


def country_shown(
    reader: Reader, snapshot: Snapshot, at: datetime, code: str, bucket: float
) -> Context:
    """The page of a country, without what is over and its history."""
    words, titles = reader.words, all_titles(snapshot)
    coverage = snapshot.coverage_at(at, code)
    events = sorted((event for event in snapshot.blocks if event.country == code), key=_urgency)

    def network_head(row: Row) -> str:
        name = network_name(words, row.network, row.asn)
        said = [words.name(row.vantage, 80)] if row.vantage else []
        said += [words.gettext("in quarantine")] if row.quarantined else []
        said.append(_tested(words, row, at))
        return Markup('{}<span class="dim">{}</span>').format(name, words.dotted(said))

    return {
        "code": code,
        "country": words.country(code),
        "coverage": coverage_now(words, coverage, controls=snapshot.has_controls),
        "complete": coverage.complete,
        "remarks": _remarks(words, snapshot, coverage, events=bool(events)),
        "events": [(event, headline(words, event, titles)) for event in events],
        "circumstances": _circumstances(
            words, [one for one in snapshot.circumstances if one.country == code], titles
        ),
        "rows": network_rows(snapshot, code, at, bucket, vantages=reader.operator),
        "network_head": network_head,
        "cell_link": lambda _, cell: (
            reader.link(f"events/{cell.event.id}") if cell.event is not None else ""
        ),
    }


def platform_shown(
    reader: Reader, snapshot: Snapshot, at: datetime, name: str, bucket: float
) -> Context:
    """The same of a platform."""
    words, titles = reader.words, all_titles(snapshot)
    events = [event for event in snapshot.blocks if event.platform == name]
    rows = [
        msgspec.structs.replace(row, cells=tuple(one for one in row.cells if one.platform == name))
        for row in _by_name(words, country_rows(snapshot, at, bucket))
    ]
    return {
        "platform": name,
        "title": titles[name],
        "events": [
            (event, headline(words, event, titles)) for event in sorted(events, key=_urgency)
        ],
        "rows": rows,
        "country_head": lambda row: _country_head(reader, row, at),
        "cell_link": lambda row, cell: _cell_link(reader, row, cell),
    }


def _tested(words: HtmlWords, row: Row, at: datetime) -> str:
    """How long ago the newest test of a row was."""
    if row.tested_at is None:
        return words.gettext("not tested yet")
    return words.gettext("last test %(ago)s", ago=age(words, row.tested_at, at))


def _country_head(reader: Reader, row: Row, at: datetime) -> Markup:
    words = reader.words
    return Markup('<a href="{}">{}</a><span class="dim">{}</span>').format(
        reader.link(f"countries/{row.country}"),
        words.country(row.country),
        words.dotted(
            [
                words.ngettext("%(n)s network", "%(n)s networks", row.networks),
                _tested(words, row, at),
            ]
        ),
    )


def _cell_link(reader: Reader, row: Row, cell: Cell) -> str:
    if cell.event is not None:
        return reader.link(f"events/{cell.event.id}")
    return reader.link(f"countries/{row.country}")


def over_shown(reader: Reader, snapshot: Snapshot, events: Sequence[Event]) -> Sequence[Any]:
    """Events that are no longer active, in words."""
    words, titles = reader.words, all_titles(snapshot)
    return [(one, what_happened(words, one, titles), ending(words, one)) for one in events]


def health_words(words: Words, view: VantageView, at: datetime) -> str:
    """What the health of a vantage means at that moment, with notes."""
    state, health = view.state_at(at), view.health_at(at)
    meaning = words.gettext(VANTAGE_MEANINGS[state])
    if health is None:
        return meaning
    by_rule = HEALTH_RULE_MEANINGS.get(health.rule_id, "").rstrip(".")
    if by_rule and state is VantageState.UNKNOWN:
        meaning = sentence(words, by_rule)
    return Markup(words.pause).join((meaning, *notes(words, health)))  # noqa: S704 - our own
