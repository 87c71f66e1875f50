"""The pages: the present, events, one event and its evidence, countries, vantages, runbooks.

The present comes from the publisher's snapshot, the past from the store, in its own threads. A page
is rendered in a thread too, so that nothing blocks the event loop of the probes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from monitor.analysis.coverage import Coverage
from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.verdict import VantageState
from monitor.config.country_code import probable_code
from monitor.config.filters import FilterError
from monitor.export.coverage import stored_coverage
from monitor.export.kinds import Kind
from monitor.export.public_view import PublicView, is_public
from monitor.logs import logger
from monitor.metrics.published_state import Snapshot, VantageView
from monitor.metrics.publisher import Publisher
from monitor.server import timeline_chart as timeline
from monitor.server.access import sees_vantages
from monitor.server.checklist import checklist
from monitor.server.event_filter import DAYS, LABELS, EventFilter, read_filter, shown_names
from monitor.server.evidence import EndpointEvidence, Evidence, EvidenceReader, public_evidence
from monitor.server.matrix import Cell, Overall, Row, country_rows, network_rows, overall
from monitor.server.measurement_view import follow_up_lines, side_by_side
from monitor.server.page import POLICY, Reader, render
from monitor.server.runbook_pages import runbook
from monitor.server.sources_page import event_lines, sources_shown
from monitor.wording.coverage import coverage_now, coverage_remarks, coverage_sentences
from monitor.wording.events import (
    ending,
    headline,
    length,
    onset,
    stretch_ending,
    stretch_onset,
    what_happened,
)
from monitor.wording.filters import WrongFilter, filter_problem
from monitor.wording.languages import BY_CODE, language_of
from monitor.wording.networks import network_name
from monitor.wording.rules import HEALTH_RULE_MEANINGS, rule_doubt, rule_meaning, sentence
from monitor.wording.sources import witness_lines
from monitor.wording.states import EVENT_STATES
from monitor.wording.vantage_health import VANTAGE_MEANINGS, notes
from monitor.wording.words import Words
from storage.store import StorageError, Store
from storage.values.names import Names
from storage.values.reviews import Mark, Review, deciding_review
from storage.values.selection import Selection

log = logger(__name__)

MOST_EVENTS = 200
"""On one page."""
_LONGEST_ID = 100
_STRETCHES = 5
"""Shown of one network."""
Context = dict[str, Any]
"""The values of a template."""


class Pages:
    """Every page for people."""

    def __init__(
        self,
        publisher: Publisher,
        store: Store | None = None,
        view: Callable[[], PublicView] = PublicView,
    ) -> None:
        """Without a store the pages show the present only. `view` is what readers see who are no
        operators."""
        self._publisher = publisher
        self._store = store
        self._view = view
        self._evidence = EvidenceReader(store) if store is not None else None

    def routes(self) -> list[Route]:
        """The routes of all pages."""
        return [
            Route("/", self._now),
            Route("/events", self._events),
            Route("/events/{id}", self._event),
            Route("/countries/{code}", self._country),
            Route("/vantages", self._vantages),
            Route("/sources", self._sources),
            Route("/runbooks/{name}", self._runbook),
        ]

    async def problem(self, request: Request, _: Exception, meant: str = "") -> Response:
        """The answer to an address without a page; `meant` is a country that may be meant."""
        reader = reader_of(request)
        shown = {"message": reader.words.gettext("There is no such page"), "meant": meant}
        at = self._publisher.now()
        return await _page("problem.html", reader, at, lambda: shown, status=404)

    async def _now(self, request: Request) -> Response:
        reader, at = reader_of(request), self._publisher.now()
        snapshot = self._snapshot(reader)
        marks = await self._marks()
        return await _page("now.html", reader, at, lambda: _now(reader, snapshot, at, marks))

    async def _marks(self) -> dict[str, Mark]:
        """Event → the review that holds; empty when reviews cannot be read."""
        if self._store is None:
            return {}
        by_event: dict[str, list[Review]] = {}
        try:
            for review in await self._store.reviews():
                by_event.setdefault(review.event, []).append(review)
        except StorageError as error:
            log.error("reviews cannot be read", error=str(error))
        holding = {event: deciding_review(reviews) for event, reviews in by_event.items()}
        return {event: review.mark for event, review in holding.items() if review is not None}

    async def _country(self, request: Request) -> Response:
        reader, at = reader_of(request), self._publisher.now()
        snapshot = self._snapshot(reader)
        code = request.path_params["code"]
        if code not in snapshot.countries:
            meant = probable_code(code[:_LONGEST_ID])
            found = meant if meant in snapshot.countries else ""
            return await self.problem(request, LookupError(), found)
        return await _page("country.html", reader, at, lambda: _country(reader, snapshot, at, code))

    async def _runbook(self, request: Request) -> Response:
        reader, at = reader_of(request), self._publisher.now()
        found = runbook(request.path_params["name"])
        if found is None:
            return await self.problem(request, LookupError())
        return await _page("runbook.html", reader, at, lambda: {"runbook": found})

    async def _vantages(self, request: Request) -> Response:
        reader, at = reader_of(request), self._publisher.now()
        if not reader.operator:
            return await self.problem(request, LookupError())
        vantages = [
            (view, view.state_at(at), health_words(reader.words, view, at), view.health_at(at))
            for view in self._publisher.snapshot.vantages
        ]
        return await _page("vantages.html", reader, at, lambda: {"vantages": vantages})

    async def _sources(self, request: Request) -> Response:
        reader, at = reader_of(request), self._publisher.now()
        snapshot = self._publisher.snapshot
        return await _page("sources.html", reader, at, lambda: sources_shown(reader, snapshot, at))

    async def _events(self, request: Request) -> Response:
        reader, at = reader_of(request), self._publisher.now()
        try:
            wanted = await read_filter(
                request.query_params, shown_names(self._publisher.snapshot), at, self._stored_names
            )
        except FilterError as error:
            wrong = error.wrong
            return await _page(
                "wrong_filter.html", reader, at, lambda: _wrong_filter(reader, wrong), status=400
            )
        problem = False
        found: deque[Event] = deque(maxlen=MOST_EVENTS + 1)
        try:
            if self._store is not None:
                selection = wanted.selection(at)
                async with aclosing(self._store.events(selection)) as batches:  # type: ignore[type-var]
                    async for batch in batches:
                        found += [self._seen(reader, one) for one in batch if _may_see(reader, one)]
        except StorageError as error:
            log.error("events cannot be read", error=str(error))
            problem = True
        snapshot = self._snapshot(reader)
        events = {event.id: event for event in found}
        for event in (*snapshot.events.values(), *snapshot.circumstances):
            if wanted.includes(event):
                events.setdefault(event.id, event)
        listed = sorted(events.values(), key=lambda one: (one.onset_latest, one.id), reverse=True)
        coverage: Coverage | None = None
        # With a state an event of another one may be there.
        if not listed and not wanted.state and self._store is not None and not problem:
            counted = wanted.selection(at)
            if not reader.operator:
                counted = self._view().selection(Kind.VERDICTS, counted, at)
            coverage = await self._coverage(counted, at)
        shown = {"held": await self._marks(), "problem": problem}
        return await _page(
            "events.html",
            reader,
            at,
            lambda: {
                **_events(reader, snapshot, at, listed, wanted),
                "coverage": (
                    coverage_sentences(reader.words, coverage, controls=snapshot.has_controls)
                    if coverage is not None
                    else []
                ),
                **shown,
            },
        )

    async def _stored_names(self) -> Names:
        """Empty when they cannot be read."""
        try:
            return await self._store.names() if self._store is not None else Names()
        except StorageError as error:
            log.error("stored names cannot be read", error=str(error))
            return Names()

    async def _coverage(self, selection: Selection, at: datetime) -> Coverage | None:
        """What is stored about a selection; None when it cannot be read."""
        assert self._store is not None  # noqa: S101 # the caller looked
        try:
            return await stored_coverage(
                self._store, selection, self._publisher.snapshot.interval, at
            )
        except StorageError as error:
            log.error("the coverage cannot be read", error=str(error))
            return None

    async def _event(self, request: Request) -> Response:
        reader, at = reader_of(request), self._publisher.now()
        id_ = request.path_params["id"]
        event, evidence, problem = None, NOTHING, False
        try:
            if self._evidence is not None and len(id_) <= _LONGEST_ID and id_.isprintable():
                event = await self._evidence.event(id_)
                if event is not None and _may_see(reader, event):
                    evidence = await self._evidence.of(event, at)
                    if not reader.operator:
                        evidence = public_evidence(self._view(), evidence, at)
        except StorageError as error:
            log.error("evidence cannot be read", error=str(error))
            problem = True
        snapshot = self._snapshot(reader)
        active = (*snapshot.events.values(), *snapshot.circumstances)
        if event is not None:
            event = self._seen(reader, event) if _may_see(reader, event) else None
        found = event or next((one for one in active if one.id == id_), None)
        if found is None:
            return await self.problem(request, LookupError())
        return await _page(
            "event.html",
            reader,
            at,
            lambda: {**_event(reader, snapshot, at, found, evidence), "problem": problem},
        )

    def _seen(self, reader: Reader, event: Event) -> Event:
        """An event as this reader sees it."""
        return event if reader.operator else self._view().event(event)

    def _snapshot(self, reader: Reader) -> Snapshot:
        """The present as this reader sees it."""
        snapshot = self._publisher.snapshot
        if reader.operator:
            return snapshot
        view = self._view()
        return msgspec.structs.replace(
            snapshot,
            events={key: view.event(event) for key, event in snapshot.events.items()},
            circumstances=tuple(map(view.event, filter(is_public, snapshot.circumstances))),
        )


NOTHING = Evidence(networks=(), more_networks=0, log=(), reviews=(), annotations=())


def reader_of(request: Request) -> Reader:
    """The reader who sends a request."""
    query = dict(request.query_params)
    asked = query.pop("lang", "")
    return Reader(
        language=language_of(asked, request.headers.get("accept-language", "")),
        chosen=asked in BY_CODE,
        operator=sees_vantages(request),
        path=request.url.path.removeprefix(request.scope.get("root_path", "")).lstrip("/"),
        query={name: value[:_LONGEST_ID] for name, value in list(query.items())[:10]},
    )


async def _page(
    name: str,
    reader: Reader,
    at: datetime,
    context: Callable[[], Mapping[str, Any]],
    *,
    status: int = 200,
) -> Response:
    """The page made from a template; `context` gives its values, in the same thread."""
    return HTMLResponse(
        await asyncio.to_thread(lambda: render(name, reader, at, **context())),
        status_code=status,
        headers={
            "Content-Security-Policy": POLICY,
            "Content-Language": reader.language.code,
            "Vary": "Accept-Language",
        },
    )


def _may_see(reader: Reader, event: Event) -> bool:
    return reader.operator or is_public(event)


def titles_of(snapshot: Snapshot) -> dict[str, str]:
    """Platform → its own name."""
    return {platform.name: platform.title for platform in snapshot.catalog.platforms}


# -- now ---------------------------------------------------------------------------------------


def _now(reader: Reader, snapshot: Snapshot, at: datetime, held: Mapping[str, Mark]) -> Context:
    words, titles = reader.words, titles_of(snapshot)
    now = overall(snapshot, at)
    events = sorted(snapshot.events.values(), key=_urgency)

    def cell_link(row: Row, cell: Cell) -> str:
        if cell.event is not None:
            return reader.link(f"events/{cell.event.id}")
        return reader.link(f"countries/{row.country}")

    return {
        "live": "live" in reader.query,
        "checklist": checklist(words, snapshot, at) if reader.operator else None,
        "overall": now,
        "held": held,
        "headline": top_line(words, now, controls=snapshot.has_controls),
        "remarks": _remarks(words, snapshot, now.coverage, events=not now.nothing_seen),
        "events": [(event, headline(words, event, titles)) for event in events],
        "circumstances": [
            (
                event,
                what_happened(words, event, titles),
                words.gettext("since %(when)s", when=onset(words, event)),
            )
            for event in snapshot.circumstances
        ],
        "volunteers": [
            (source, [line for line in event_lines(words, source, titles) if line[0].active])
            for source in snapshot.sources
            if not source.outside
        ],
        "rows": country_rows(snapshot, at),
        "country_head": lambda row: Markup('<a href="{}">{}</a><span class="dim">{}</span>').format(
            reader.link(f"countries/{row.country}"),
            words.country(row.country),
            words.ngettext("%(n)s network", "%(n)s networks", row.networks),
        ),
        "cell_link": cell_link,
        "titles": titles,
        "vantage_count": len(snapshot.vantages),
        "seconds": snapshot.interval,
    }


def _urgency(event: Event) -> tuple[int, float]:
    """What is certain first, then the newest."""
    order = (
        EventState.CONFIRMED,
        EventState.SUSPECTED,
        EventState.RECOVERING,
        EventState.UNOBSERVED,
    )
    return order.index(event.state), -event.onset_latest.timestamp()


def top_line(words: Words, now: Overall, *, controls: bool) -> str:
    """The headline of the first page."""
    if now.confirmed:
        confirmed = words.ngettext("%(n)s confirmed block", "%(n)s confirmed blocks", now.confirmed)
        if not now.suspected:
            return confirmed
        more = words.ngettext("%(n)s more suspected", "%(n)s more suspected", now.suspected)
        return words.listed([confirmed, more])
    if now.suspected:
        return words.ngettext("%(n)s suspected block", "%(n)s suspected blocks", now.suspected)
    if now.fading:
        return words.ngettext(
            "%(n)s block may be over, not certain yet",
            "%(n)s blocks may be over, not certain yet",
            now.fading,
        )
    if now.blocked:
        return words.ngettext(
            "No event yet, but %(n)s vantage saw a block in the last cycle",
            "No event yet, but %(n)s vantages saw a block in the last cycle",
            now.blocked,
        )
    return coverage_now(words, now.coverage, controls=controls)


def _remarks(
    words: Words, snapshot: Snapshot, coverage: Coverage, *, events: bool
) -> Sequence[str]:
    """What a headline about the present leaves out; of `events`, that nobody sees them now."""
    if not events:
        return list(coverage_remarks(words, coverage, controls=snapshot.has_controls))
    unseen = coverage_now(words, coverage, controls=snapshot.has_controls)
    return [] if coverage.cycles else [words.gettext("%(what)s.", what=unseen)]


def _country(reader: Reader, snapshot: Snapshot, at: datetime, code: str) -> Context:
    words, titles = reader.words, titles_of(snapshot)
    coverage = snapshot.coverage_at(at, code)
    events = sorted(
        (event for event in snapshot.events.values() if event.country == code), key=_urgency
    )

    def network_head(row: Row) -> str:
        name = network_name(words, row.network, row.asn)
        if not row.vantage:
            return name
        return Markup('{}<span class="dim">{}</span>').format(name, words.name(row.vantage, 80))

    return {
        "code": code,
        "country": words.country(code),
        "coverage": coverage_now(words, coverage, controls=snapshot.has_controls),
        "complete": coverage.complete,
        "remarks": _remarks(words, snapshot, coverage, events=bool(events)),
        "events": [(event, headline(words, event, titles)) for event in events],
        "rows": network_rows(snapshot, code, at, vantages=reader.operator),
        "network_head": network_head,
        "cell_link": lambda _, cell: (
            reader.link(f"events/{cell.event.id}") if cell.event is not None else ""
        ),
    }


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


# -- events ------------------------------------------------------------------------------------


def _events(
    reader: Reader,
    snapshot: Snapshot,
    at: datetime,
    listed: Sequence[Event],
    wanted: EventFilter,
) -> Context:
    words, titles = reader.words, titles_of(snapshot)
    shown = listed[:MOST_EVENTS]
    axis = timeline.axis_of(shown, at, timedelta(days=wanted.days))
    asked = wanted.query(since=f"{at - timedelta(days=wanted.days):%Y-%m-%d}")
    asked.pop("days")
    return {
        "events": [
            (
                event,
                what_happened(words, event, titles),
                onset(words, event),
                ending(words, event),
                timeline.event_bars(axis, event),
            )
            for event in shown
        ],
        "cut": len(listed) > MOST_EVENTS,
        "filtered": wanted.filtered,
        "filters": _filters(reader, snapshot, wanted, titles),
        "time_axis": axis,
        "tick_label": _tick_label(words, axis),
        "files": f"{reader.root}api/v1/events",
        "file_query": f"?{urlencode(asked)}",
    }


def _wrong_filter(reader: Reader, wrong: WrongFilter) -> Context:
    label = LABELS.get(wrong.filter)
    problem, *hint = filter_problem(
        reader.words, wrong, reader.words.gettext(label) if label else ""
    )
    return {
        "problem": problem,
        "hint": hint,
        "target": reader.link("events", **{**reader.query, wrong.filter: wrong.meant})
        if wrong.meant
        else "",
    }


def _tick_label(words: Words, axis: timeline.Axis) -> Callable[[datetime], str]:
    return words.clock if axis.in_hours else words.short_day


def _filters(
    reader: Reader, snapshot: Snapshot, wanted: EventFilter, titles: Mapping[str, str]
) -> list[tuple[str, list[tuple[str, object, bool]]]]:
    words = reader.words
    everything = words.gettext("all")

    def choices(
        name: str, values: Sequence[tuple[object, object]], now: object
    ) -> list[tuple[str, object, bool]]:
        return [
            (reader.link("events", **wanted.query(**{name: value})), shown, value == now)
            for value, shown in values
        ]

    countries = [("", everything), *((c, words.country(c)) for c in snapshot.countries)]
    platforms = [("", everything), *titles.items()]
    states = [("", everything), *((s, words.gettext(m)) for s, m in EVENT_STATES.items())]
    days = [(n, words.ngettext("%(n)s day", "%(n)s days", n)) for n in DAYS]
    offered: Mapping[str, Sequence[tuple[object, object]]]
    offered = {"country": countries, "platform": platforms, "state": states, "days": days}
    return [
        (words.gettext(label), choices(name, offered[name], getattr(wanted, name)))
        for name, label in LABELS.items()
    ]


# -- one event ---------------------------------------------------------------------------------


def _event(
    reader: Reader, snapshot: Snapshot, at: datetime, event: Event, evidence: Evidence
) -> Context:
    words, titles = reader.words, titles_of(snapshot)
    until = at if event.active else (event.end_latest or event.updated_at)
    axis = timeline.axis_of([event], until, timedelta(days=3650))
    downloads = [
        ("events", words.gettext("This event")),
        ("stretches", words.gettext("Stretches")),
        ("verdicts", words.gettext("Verdicts")),
        ("measurements", words.gettext("Measurements")),
    ]
    return {
        "event": event,
        "what": what_happened(words, event, titles),
        "onset": onset(words, event),
        "until": ending(words, event),
        "length": length(words, event),
        "evidence": evidence,
        "witnesses": [
            (one, sentence, networks)
            for one in evidence.witnesses
            for sentence, *networks in [witness_lines(words, one, event)]
        ],
        "time_axis": axis,
        "tick_label": _tick_label(words, axis),
        "networks": [_network(words, axis, event, one) for one in event.networks],
        "proofs": [
            (one.status, one, [_endpoint(words, endpoint) for endpoint in one.endpoints])
            for one in evidence.networks
        ],
        "downloads": downloads if event.kind is EventKind.BLOCK else downloads[:2],
    }


def _network(words: Words, axis: timeline.Axis, event: Event, network: Any) -> tuple[Any, ...]:
    bars = [bar for one in network.stretches for bar in timeline.stretch_bars(axis, one, event)]
    if network.affected and not network.stretches:
        bars = list(timeline.event_bars(axis, event))
    stretches = []
    for one in network.stretches[-_STRETCHES:]:
        lasts = event.active and one.end_latest is None
        ended = None if lasts else stretch_ending(words, one, event.country)
        stretches.append((stretch_onset(words, one, event.country), ended))
    return network, bars, stretches


def _endpoint(words: Words, one: EndpointEvidence) -> tuple[Any, ...]:
    return (
        one,
        side_by_side(words, one.measurement, one.control),
        follow_up_lines(words, one.follow_ups),
        rule_meaning(words, one.verdict.rule_id),
        rule_doubt(words, one.verdict.rule_id),
    )
