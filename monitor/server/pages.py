"""The pages: the present, events, one event and its evidence, countries, vantages, documents.

The present comes from the publisher's snapshot, the past from the store, in its own threads. A page
is rendered in a thread too, so that nothing blocks the event loop of the probes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from monitor.analysis.coverage import Coverage
from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.config.country_code import probable_code
from monitor.config.filters import FilterError
from monitor.export.common_text import listed_hosts
from monitor.export.coverage import stored_coverage
from monitor.export.kinds import Kind
from monitor.export.public_view import PublicView
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from monitor.server.access import editor_of
from monitor.server.compare_page import ComparePage
from monitor.server.documents import FOLDER as DOCUMENTS
from monitor.server.documents import built_site
from monitor.server.embedded import Embedded
from monitor.server.event_filter import EventFilter
from monitor.server.event_shown import event_shown
from monitor.server.events_shown import events_shown
from monitor.server.evidence import Evidence, EvidenceReader, public_evidence
from monitor.server.feeds import Feeds
from monitor.server.history import history_asked
from monitor.server.history_shown import history_shown
from monitor.server.listed_events import A_PAGE, ListedEvents, may_see
from monitor.server.own_forms import FormTokens
from monitor.server.page import LONGEST_ID, Context, Reader, page, reader_of, titles_of
from monitor.server.present_shown import (
    country_shown,
    health_words,
    now_shown,
    over_shown,
    platform_shown,
)
from monitor.server.previews import Previews
from monitor.server.runbook_pages import runbook
from monitor.server.sources_page import sources_shown
from monitor.server.stored_history import StoredHistory
from monitor.server.withheld_page import withheld_shown
from monitor.server.wrong_filter import wrong_filter
from monitor.wording.coverage import coverage_sentences
from storage.store import StorageError, Store
from storage.values.fleet import Quarantine
from storage.values.selection import Selection

log = logger(__name__)

MOST_OVER = 5
"""Events that are no longer active, on the first page and on that of a country."""
_TELLING = (EventKind.BLOCK, EventKind.SHUTDOWN)
"""Kinds of which the first page tells once they are over."""


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
        self._evidence = EvidenceReader(store, quarantines) if store is not None else None
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
        marks = await self._listed.marks()
        known = await self._acknowledged() if reader.operator else frozenset()
        over = [one for one in await self._over(reader, at) if one.kind in _TELLING]
        over = [one for one in over if one.state is not EventState.DISMISSED]
        return await page(
            "now.html",
            reader,
            at,
            lambda: {
                **now_shown(reader, snapshot, at, marks, known, self._bucket(reader)),
                "over": over_shown(reader, snapshot, over[:MOST_OVER]),
            },
        )

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
            lambda: country_shown(reader, snapshot, at, code, bucket),
            country=code,
        )

    async def _platform(self, request: Request) -> Response:
        reader, at = self.reader(request), self._publisher.now()
        snapshot = self._listed.snapshot(reader)
        name = request.path_params["name"]
        if name not in snapshot.platforms:
            return await self.problem(request, LookupError())
        bucket = self._bucket(reader)
        return await self._with_history(
            request,
            "platform.html",
            lambda: platform_shown(reader, snapshot, at, name, bucket),
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
        (rows, problem), over, marks, now = await asyncio.gather(
            self._history.rows(reader, asked, shown_until, country=country, platform=platform),
            self._over(reader, at, country, platform),
            self._listed.marks(),
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
                "over": over_shown(reader, snapshot, over[:MOST_OVER]),
                "held": marks,
                "stored": self._history.stored,
                "problem": problem,
            },
        )

    async def _over(
        self, reader: Reader, at: datetime, country: str = "", platform: str = ""
    ) -> list[Event]:
        """The events, of a country, a platform or all, that are over, the newest first; without
        those that continue as another one, which is there instead."""
        listed = await self._listed.of(reader, EventFilter(country, platform), at)
        over = [event for event in listed.events if not event.active]
        continued = await self._listed.continued(over)
        return [event for event in over if event.id not in continued]

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
        continued = await self._listed.continued(listed)
        shown = {"held": await self._listed.marks(), "problem": not found.complete}
        return await page(
            "events.html",
            reader,
            at,
            lambda: {
                **events_shown(reader, snapshot, at, listed, wanted, continued),
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
                        hosts = listed_hosts(self._publisher.snapshot.catalog)
                        evidence = public_evidence(self._view(), evidence, at, hosts)
        except StorageError as error:
            log.error("evidence cannot be read", error=str(error))
            problem = True
        snapshot = self._listed.snapshot(reader)
        active = (*snapshot.blocks, *snapshot.circumstances)
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
                **event_shown(reader, snapshot, at, found, evidence),
                **self._previews.on_page(
                    reader,
                    found,
                    None if problem else evidence.reviews,
                    continued=bool(evidence.continued_as),
                ),
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
