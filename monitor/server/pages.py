"""The pages: the present, events, one event and its evidence, countries, vantages, documents.

The present comes from the publisher's snapshot, the past from the store, in its own threads. A page
is rendered in a thread too, so that nothing blocks the event loop of the probes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from monitor.analysis.coverage import Coverage
from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.verdict import VantageState
from monitor.config.country_code import probable_code
from monitor.config.filters import FilterError
from monitor.export.coverage import stored_coverage
from monitor.export.kinds import Kind
from monitor.export.public_view import PublicView
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from monitor.metrics.snapshot import Snapshot, VantageView
from monitor.server import timeline_chart as timeline
from monitor.server.access import editor_of
from monitor.server.checklist import checklist
from monitor.server.compare_page import ComparePage
from monitor.server.documents import FOLDER as DOCUMENTS
from monitor.server.documents import built_site
from monitor.server.embedded import Embedded
from monitor.server.event_filter import DAYS, LABELS, EventFilter
from monitor.server.evidence import EndpointEvidence, Evidence, EvidenceReader, public_evidence
from monitor.server.feeds import FEEDS, Feeds
from monitor.server.history import history_asked
from monitor.server.history_shown import history_shown
from monitor.server.listed_events import A_PAGE, ListedEvents, may_see
from monitor.server.matrix import Cell, Row, country_rows, network_rows, overall
from monitor.server.measurement_view import follow_up_lines, side_by_side
from monitor.server.own_forms import FormTokens
from monitor.server.page import LONGEST_ID, Reader, age, page, reader_of, titles_of
from monitor.server.previews import Previews
from monitor.server.runbook_pages import runbook
from monitor.server.sources_page import event_lines, sources_shown
from monitor.server.stored_history import StoredHistory
from monitor.server.tile_map import tile_map
from monitor.server.top_line import top_line
from monitor.server.withheld_page import withheld_shown
from monitor.server.wrong_filter import wrong_filter
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
from monitor.wording.html import HtmlWords
from monitor.wording.networks import network_name
from monitor.wording.rules import HEALTH_RULE_MEANINGS, rule_doubt, rule_meaning, sentence
from monitor.wording.sources import witness_lines
from monitor.wording.states import EVENT_STATES
from monitor.wording.vantage_health import VANTAGE_MEANINGS, notes
from monitor.wording.words import Words
from storage.store import StorageError, Store
from storage.values.fleet import Quarantine
from storage.values.reviews import Mark, deciding_review
from storage.values.selection import Selection

log = logger(__name__)

_STRETCHES = 5
"""Shown of one network."""
MOST_OVER = 5
"""Events that are no longer active, on the first page and on that of a country."""
_TELLING = (EventKind.BLOCK, EventKind.SHUTDOWN)
"""Kinds of which the first page tells once they are over."""
Context = dict[str, Any]
"""The values of a template."""


class Pages:
    """Every page for people."""

    def __init__(
        self,
        publisher: Publisher,
        store: Store | None = None,
        view: Callable[[], PublicView] = PublicView,
        public: Callable[[], bool] = bool,
        documents: Path = DOCUMENTS,
        tokens: FormTokens | None = None,
        quarantines: Callable[[], Awaitable[Sequence[Quarantine]]] | None = None,
    ) -> None:
        """Without a store the pages show the present only. `view` is what readers see who are no
        operators, `public` returns whether there are such readers. `documents` is the folder of
        the built site. Without `tokens` nobody may act; `quarantines` reads which vantages are in
        quarantine."""
        self._publisher = publisher
        self._store = store
        self._view = view
        self._public = public
        self._tokens = tokens
        self._quarantines = quarantines
        self._evidence = EvidenceReader(store) if store is not None else None
        self._listed = ListedEvents(publisher, store, view)
        self._history = StoredHistory(store, view, publisher.now)
        self._comparing = ComparePage(publisher, self._listed, self._history, self.reader)
        self._feeds = Feeds(publisher, self._listed)
        self._documents = documents
        self._embedded = Embedded(publisher, self._listed, public)
        self._previews = Previews(publisher, self._listed, self._evidence, public)

    def routes(self) -> list[Route]:
        """The routes of all pages."""
        return [
            Route("/", self._now),
            Route("/events", self._events),
            *self._previews.routes(),
            Route("/events/{id}", self._event),
            Route("/countries/{code}", self._country),
            Route("/platforms/{name}", self._platform),
            Route("/vantages", self._vantages),
            Route("/sources", self._sources),
            Route("/withheld", self._withheld),
            Route("/runbooks/{name}", self._runbook),
            Route("/docs", self._to_documents),
            Route("/docs/{path:path}", self._document),
            *self._comparing.routes(),
            *self._feeds.routes(),
            *self._embedded.routes(),
        ]

    async def problem(self, request: Request, _: Exception, meant: str = "") -> Response:
        """The answer to an address without a page; `meant` is a country that may be meant."""
        reader = self.reader(request)
        shown = {"message": reader.words.gettext("There is no such page"), "meant": meant}
        at = self._publisher.now()
        return await page("problem.html", reader, at, lambda: shown, status=404)

    async def _now(self, request: Request) -> Response:
        reader, at = self.reader(request), self._publisher.now()
        snapshot = self._listed.snapshot(reader)
        marks = await self._marks()
        known = await self._acknowledged() if reader.operator else frozenset()
        over = [one for one in await self._over(reader, at) if one.kind in _TELLING]
        over = [one for one in over if one.state is not EventState.DISMISSED]
        return await page(
            "now.html",
            reader,
            at,
            lambda: {
                **_now(reader, snapshot, at, marks, known, self._bucket(reader)),
                "over": _over(reader, snapshot, over[:MOST_OVER]),
            },
        )

    async def _marks(self) -> dict[str, Mark]:
        """Event → the review that holds; empty when reviews cannot be read."""
        known = await self._listed.known_of(())
        by_event = known.reviews if known is not None else {}
        holding = {event: deciding_review(reviews) for event, reviews in by_event.items()}
        return {event: review.mark for event, review in holding.items() if review is not None}

    def _bucket(self, reader: Reader) -> float:
        """Seconds of the buckets that times of tests are put into: of a whole interval for readers
        who are no operators, or when a vantage tests would help to find it."""
        if reader.operator:
            return 0.0
        return max(self._view().bucket, self._publisher.snapshot.interval)

    async def _acknowledged(self) -> frozenset[str]:
        """Lines of the checklist that somebody knows of; none when that cannot be read."""
        try:
            found = await self._store.acknowledgements() if self._store is not None else ()
        except StorageError as error:
            log.error("acknowledgements cannot be read", error=str(error))
            found = ()
        return frozenset(one.finding for one in found)

    async def _country(self, request: Request) -> Response:
        reader, at = self.reader(request), self._publisher.now()
        snapshot = self._listed.snapshot(reader)
        code = request.path_params["code"]
        if code not in snapshot.countries:
            meant = probable_code(code[:LONGEST_ID])
            found = meant if meant in snapshot.countries else ""
            return await self.problem(request, LookupError(), found)
        bucket = self._bucket(reader)
        return await self._with_history(
            request,
            "country.html",
            lambda: _country(reader, snapshot, at, code, bucket),
            country=code,
        )

    async def _platform(self, request: Request) -> Response:
        reader, at = self.reader(request), self._publisher.now()
        snapshot = self._listed.snapshot(reader)
        name = request.path_params["name"]
        if name not in titles_of(snapshot):
            return await self.problem(request, LookupError())
        bucket = self._bucket(reader)
        return await self._with_history(
            request,
            "platform.html",
            lambda: _platform(reader, snapshot, at, name, bucket),
            platform=name,
        )

    async def _with_history(
        self,
        request: Request,
        template: str,
        more: Callable[[], Context],
        *,
        country: str = "",
        platform: str = "",
    ) -> Response:
        """A page about a country or a platform, with what is over and its history."""
        reader, at = self.reader(request), self._publisher.now()
        snapshot = self._listed.snapshot(reader)
        try:
            asked = history_asked(request.query_params.multi_items())
        except FilterError as error:
            title = reader.words.country(country) if country else titles_of(snapshot)[platform]
            return await wrong_filter(reader, at, error, title)
        shown_until = self._history.until(reader)
        # Side by side: to sum a year takes the database longer than the rest takes us.
        (rows, problem), over, now = await asyncio.gather(
            self._history.rows(reader, asked, shown_until, country=country, platform=platform),
            self._over(reader, at, country, platform),
            asyncio.to_thread(more),
        )
        return await page(
            template,
            reader,
            at,
            lambda: {
                **now,
                **history_shown(
                    reader, snapshot, shown_until, asked, rows, country=country, platform=platform
                ),
                "over": _over(reader, snapshot, over[:MOST_OVER]),
                "stored": self._history.stored,
                "problem": problem,
            },
        )

    async def _over(
        self, reader: Reader, at: datetime, country: str = "", platform: str = ""
    ) -> list[Event]:
        """The events, of a country, a platform or all, that are over, the newest first."""
        listed = await self._listed.of(reader, EventFilter(country, platform), at)
        return [event for event in listed.events if not event.active]

    async def _runbook(self, request: Request) -> Response:
        reader, at = self.reader(request), self._publisher.now()
        found = runbook(request.path_params["name"])
        if found is None:
            return await self.problem(request, LookupError())
        return await page("runbook.html", reader, at, lambda: {"runbook": found})

    async def _to_documents(self, _: Request) -> Response:
        # Relative, so that it leads to no other host.
        return RedirectResponse("docs/")

    async def _document(self, request: Request) -> Response:
        site = await asyncio.to_thread(built_site, self._documents)
        if found := site.document(request.path_params["path"]):
            return found
        if site.files:
            return await self.problem(request, LookupError())
        reader, at = self.reader(request), self._publisher.now()
        return await page("no_documents.html", reader, at, dict, status=404)

    async def _vantages(self, request: Request) -> Response:
        reader, at = self.reader(request), self._publisher.now()
        if not reader.operator:
            return await self.problem(request, LookupError())
        vantages = [
            (view, view.state_at(at), health_words(reader.words, view, at), view.health_at(at))
            for view in self._publisher.snapshot.vantages
        ]
        held, problem = dict[str, Quarantine](), False
        try:
            if self._quarantines is not None:
                held = {one.vantage: one for one in await self._quarantines()}
        except StorageError as error:
            log.error("quarantines cannot be read", error=str(error))
            problem = True
        shown = {"vantages": vantages, "held": held, "problem": problem}
        return await page("vantages.html", reader, at, lambda: shown)

    async def _sources(self, request: Request) -> Response:
        reader, at = self.reader(request), self._publisher.now()
        snapshot = self._publisher.snapshot
        return await page("sources.html", reader, at, lambda: sources_shown(reader, snapshot, at))

    async def _withheld(self, request: Request) -> Response:
        reader, at = self.reader(request), self._publisher.now()
        snapshot = self._publisher.snapshot
        shown = withheld_shown(reader, snapshot)
        return await page("withheld.html", reader, at, lambda: shown)

    async def _events(self, request: Request) -> Response:
        reader, at = self.reader(request), self._publisher.now()
        try:
            wanted = await self._listed.wanted(request.query_params.multi_items(), at)
        except FilterError as error:
            return await wrong_filter(reader, at, error, reader.words.gettext("Events"))
        found = await self._listed.of(reader, wanted, at)
        snapshot, listed = self._listed.snapshot(reader), found.events
        if len(listed) <= (wanted.page - 1) * A_PAGE > 0:
            return await self.problem(request, LookupError())
        coverage: Coverage | None = None
        # With a state an event of another one may be there.
        if not listed and not wanted.state and self._store is not None and found.complete:
            counted = wanted.selection(at)
            if not reader.operator:
                counted = self._view().selection(Kind.VERDICTS, counted, at)
            coverage = await self._coverage(counted, at)
        shown = {"held": await self._marks(), "problem": not found.complete}
        return await page(
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
        reader, at = self.reader(request), self._publisher.now()
        id_ = request.path_params["id"]
        event, evidence, problem = None, NOTHING, False
        try:
            if self._evidence is not None and len(id_) <= LONGEST_ID and id_.isprintable():
                event = await self._evidence.event(id_)
                if event is not None and may_see(reader, event):
                    evidence = await self._evidence.of(event, at)
                    if not reader.operator:
                        evidence = public_evidence(self._view(), evidence, at)
        except StorageError as error:
            log.error("evidence cannot be read", error=str(error))
            problem = True
        snapshot = self._listed.snapshot(reader)
        active = (*snapshot.events.values(), *snapshot.circumstances)
        if event is not None:
            event = self._listed.seen(reader, event) if may_see(reader, event) else None
        found = event or next((one for one in active if one.id == id_), None)
        if found is None:
            return await self.problem(request, LookupError())
        return await page(
            "event.html",
            reader,
            at,
            lambda: {
                **_event(reader, snapshot, at, found, evidence),
                **self._previews.on_page(reader, found, None if problem else evidence.reviews),
                "problem": problem,
            },
        )

    def reader(self, request: Request) -> Reader:
        """The reader who sends a request, with what there is for them."""
        editor = editor_of(request) if self._tokens is not None else ""
        token = self._tokens.make(editor, self._publisher.now()) if self._tokens and editor else ""
        snapshot = self._publisher.snapshot
        return msgspec.structs.replace(
            reader_of(request),
            follows=bool(snapshot.sources),
            withholds=bool(snapshot.page_looks),
            acting=self._tokens is not None,
            may_sign_in=self._public(),
            editor=editor,
            token=token,
        )


NOTHING = Evidence(networks=(), more_networks=0, log=(), reviews=(), annotations=())


# -- now ---------------------------------------------------------------------------------------


def _now(
    reader: Reader,
    snapshot: Snapshot,
    at: datetime,
    held: Mapping[str, Mark],
    known: Collection[str] = (),
    bucket: float = 0.0,
) -> Context:
    words, titles = reader.words, titles_of(snapshot)
    now = overall(snapshot, at)
    events = sorted(snapshot.events.values(), key=_urgency)
    rows = _by_name(words, country_rows(snapshot, at, bucket))
    return {
        "checklist": checklist(words, snapshot, at, known) if reader.operator else None,
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
        "map": tile_map(reader, snapshot, rows),
        "rows": rows,
        "country_head": lambda row: _country_head(reader, row, at),
        "cell_link": lambda row, cell: _cell_link(reader, row, cell),
        "titles": titles,
        "vantage_count": len(snapshot.vantages),
        "seconds": snapshot.interval,
    }


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


def _country(reader: Reader, snapshot: Snapshot, at: datetime, code: str, bucket: float) -> Context:
    words, titles = reader.words, titles_of(snapshot)
    coverage = snapshot.coverage_at(at, code)
    events = sorted(
        (event for event in snapshot.events.values() if event.country == code), key=_urgency
    )

    def network_head(row: Row) -> str:
        name = network_name(words, row.network, row.asn)
        tested = _tested(words, row, at)
        said = [words.name(row.vantage, 80), tested] if row.vantage else [tested]
        return Markup('{}<span class="dim">{}</span>').format(name, words.dotted(said))

    return {
        "code": code,
        "country": words.country(code),
        "coverage": coverage_now(words, coverage, controls=snapshot.has_controls),
        "complete": coverage.complete,
        "remarks": _remarks(words, snapshot, coverage, events=bool(events)),
        "events": [(event, headline(words, event, titles)) for event in events],
        "rows": network_rows(snapshot, code, at, bucket, vantages=reader.operator),
        "network_head": network_head,
        "cell_link": lambda _, cell: (
            reader.link(f"events/{cell.event.id}") if cell.event is not None else ""
        ),
    }


def _platform(
    reader: Reader, snapshot: Snapshot, at: datetime, name: str, bucket: float
) -> Context:
    words, titles = reader.words, titles_of(snapshot)
    events = [event for event in snapshot.events.values() if event.platform == name]
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


def _over(reader: Reader, snapshot: Snapshot, events: Sequence[Event]) -> Sequence[Any]:
    words, titles = reader.words, titles_of(snapshot)
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


# -- events ------------------------------------------------------------------------------------


def _events(
    reader: Reader,
    snapshot: Snapshot,
    at: datetime,
    listed: Sequence[Event],
    wanted: EventFilter,
) -> Context:
    words, titles = reader.words, titles_of(snapshot)
    before = (wanted.page - 1) * A_PAGE
    shown = listed[before : before + A_PAGE]
    others = {
        words.gettext("Newer events"): wanted.page - 1,
        words.gettext("Older events"): wanted.page + 1 if len(listed) > before + A_PAGE else 0,
    }
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
        "other_pages": [
            (reader.link("events", **wanted.query(page=number if number > 1 else 0)), name)
            for name, number in others.items()
            if number
        ],
        "filtered": wanted.filtered,
        "filters": _filters(reader, snapshot, wanted, titles),
        "time_axis": axis,
        "tick_label": _tick_label(words, axis),
        "files": f"{reader.root}api/v1/events",
        "file_query": f"?{urlencode(asked)}",
        "feeds": {name: reader.link(name, **_of_feed(wanted)) for name in FEEDS},
    }


def _of_feed(wanted: EventFilter) -> dict[str, object]:
    """The query of a feed: what ended, and how long ago, is for its reader to sort."""
    return wanted.query(state="", days="")


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
        "feed": reader.link("feed.atom", country=event.country, platform=event.platform)
        if event.country and event.platform
        else "",
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
