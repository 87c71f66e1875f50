"""`/actions`: what editors may do, the one door for all of it, and the audit log.

Every act is a form that is posted to `/actions/…`. It needs a signed-in user who is an editor, and
the token of a form of our own page; what it does is in `monitor.acting`, where the command line
finds it too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from monitor.acting.acknowledging import acknowledge
from monitor.acting.acts import ActError, act_of
from monitor.acting.annotating import annotate, platforms_of
from monitor.acting.muting import mute, unmute
from monitor.acting.quarantining import quarantine, release
from monitor.acting.reviewing import review
from monitor.analysis.events.event import Event
from monitor.config.filters import moment_of
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from monitor.notify.ports import MessageService
from monitor.notify.trial import try_all
from monitor.server.access import editor_of
from monitor.server.own_forms import TOKEN, FormError, FormTokens, form_of, from_another_page
from monitor.server.page import LONGEST_ID, Reader, page, titles_of
from monitor.server.report_jobs import COMMAND, ReportAsked, ReportJobs
from monitor.wording.acts import REFUSALS
from monitor.wording.languages import BY_CODE, ENGLISH
from storage.first_rows import first_rows
from storage.store import CollectorStore, StorageError
from storage.values.acts import ActKind
from storage.values.reviews import Mark
from storage.values.selection import Selection

log = logger(__name__)

SHOWN = 200
"""Lines of the audit log that the page shows."""
SHOWN_FOR = timedelta(days=90)
_TESTS_APART = timedelta(seconds=10)

Fields = Mapping[str, str]
Act = Callable[[Fields, str, datetime], Awaitable[str]]
"""Does something by the fields of a form, for a user, now (UTC). Returns the page to show next.
Raises ActError and StorageError."""


class Acting(msgspec.Struct, frozen=True, kw_only=True):
    """What acts need of the running program."""

    store: CollectorStore
    settings: Callable[[], Settings]
    service: MessageService
    """Delivers test messages."""
    wake: Callable[[], None]
    """Has delivery read the outbox again."""
    requarantine: Callable[[], Awaitable[None]] | None = None
    """Has the recorder read quarantines again; None where it does so by itself."""
    report_command: Sequence[str] = COMMAND


class Actions:
    """The acts and their page."""

    def __init__(
        self,
        publisher: Publisher,
        acting: Acting,
        tokens: FormTokens,
        reader: Callable[[Request], Reader],
    ) -> None:
        """`reader` returns who sends a request."""
        self._publisher = publisher
        self._acting = acting
        self._store = acting.store
        self._tokens = tokens
        self._reader = reader
        self._reports = ReportJobs(acting.report_command)
        self._background: set[asyncio.Task[None]] = set()
        self._tried: list[tuple[str, str, str]] = []
        self._tried_at: datetime | None = None
        """When what is in `_tried` was sent (UTC)."""
        self._last_try: datetime | None = None
        """Also one whose answers are not there yet, or that was not sent after all."""
        self._acts: Mapping[str, Act] = {
            "review": self._review,
            "annotate": self._annotate,
            "quarantine": self._quarantine,
            "release": self._release,
            "report": self._report,
            "mute": self._mute,
            "unmute": self._unmute,
            "test": self._test,
            "acknowledge": self._acknowledge,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The acts there are, as addresses have them."""
        return tuple(self._acts)

    def routes(self) -> list[Route]:
        """The page, the one door for every act, and the reports that were made."""
        return [
            Route("/actions", self._page),
            Route("/actions/{name}", self._act, methods=["POST"]),
            Route("/actions/reports/{id}.zip", self._download),
        ]

    # -- the door ----------------------------------------------------------------------------

    async def _act(self, request: Request) -> Response:
        reader, now = self._reader(request), self._publisher.now()
        who, act = editor_of(request), self._acts.get(request.path_params["name"])
        if not who:
            return await self._refused(reader, now, REFUSALS["role"], 403)
        if from_another_page(request):
            return await self._refused(reader, now, REFUSALS["elsewhere"], 403)
        try:
            fields = await form_of(request)
        except FormError:
            return await self._refused(reader, now, REFUSALS["form"], 400)
        if not self._tokens.holds(fields.get(TOKEN, ""), who, now):
            return await self._refused(reader, now, REFUSALS["token"], 403)
        if act is None:
            return await self._refused(reader, now, REFUSALS["form"], 404)
        try:
            target = await act(fields, who, now)
        except ActError as error:
            return await self._refused(reader, now, "", 422, str(error))
        except StorageError as error:
            log.error("an act was not stored", error=str(error))
            return await self._refused(reader, now, REFUSALS["stored"], 503)
        return RedirectResponse(reader.link(target, done="1"), status_code=303)

    async def _refused(
        self, reader: Reader, now: datetime, message: str, status: int, why: str = ""
    ) -> Response:
        """The page that says why nothing was done; `why` is English."""
        return await page(
            "refused.html", reader, now, lambda: {"message": message, "why": why}, status=status
        )

    # -- acts --------------------------------------------------------------------------------

    async def _review(self, fields: Fields, who: str, now: datetime) -> str:
        event = await self._event(fields)
        try:
            mark = Mark(fields.get("mark", ""))
        except ValueError as error:
            raise ActError("say whether you confirm, reject or note") from error
        note, by = fields.get("note", ""), fields.get("by", "")
        await review(self._store, event, mark, note=note, by=by, who=who, now=now)
        return f"events/{event.id}"

    async def _annotate(self, fields: Fields, who: str, now: datetime) -> str:
        platforms = await asyncio.to_thread(platforms_of, self._acting.settings())
        await annotate(self._store, fields, platforms, who=who, now=now)
        if fields.get("event"):
            return f"events/{(await self._event(fields)).id}"
        return f"countries/{self._country(fields)}"

    async def _quarantine(self, fields: Fields, who: str, now: datetime) -> str:
        views = self._publisher.snapshot.vantages
        countries = {view.point.id: view.point.country for view in views}
        vantage, reason = fields.get("vantage", ""), fields.get("reason", "")
        controls = [view.point.id for view in views if not view.is_field]
        await quarantine(
            self._store, countries, vantage, controls=controls, reason=reason, who=who, now=now
        )
        self._requarantine()
        return "vantages"

    async def _release(self, fields: Fields, who: str, now: datetime) -> str:
        await release(self._store, fields.get("vantage", ""), who=who, now=now)
        self._requarantine()
        return "vantages"

    def _requarantine(self) -> None:
        """Detect anew what that changes: it may take as long as a history is."""
        again = self._acting.requarantine
        if again is not None:
            self._in_background(again)

    def _in_background(self, work: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            try:
                await work()
            except StorageError as error:
                log.error("quarantines are not in use yet", error=str(error))

        task = asyncio.create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _report(self, fields: Fields, who: str, now: datetime) -> str:
        country, platform = self._country(fields), fields.get("platform", "")
        if platform not in titles_of(self._publisher.snapshot):
            raise ActError("choose a platform")
        since, until = (_moment(name, fields) for name in ("since", "until"))
        if since is None or since >= min(until or now, now):
            raise ActError("since must be before until, and in the past")
        language = fields.get("language", ENGLISH.code)
        asked = ReportAsked(
            country=country,
            platform=platform,
            since=f"{since:%Y-%m-%dT%H:%MZ}",
            until=f"{until:%Y-%m-%dT%H:%MZ}" if until is not None else "",
            language=language if language in BY_CODE else ENGLISH.code,
        )
        settings = self._acting.settings()
        if not settings.source:
            raise ActError("the program runs without a configuration file, which reports need")
        if self._reports.busy:
            raise ActError("a report is being made: wait until it is done")
        target = f"{platform} in {country}"
        await self._store.note(act_of(who, now, ActKind.REPORT, target, f"since {asked.since}"))
        self._reports.start(asked, settings.source, now)
        return "actions"

    async def _mute(self, fields: Fields, who: str, now: datetime) -> str:
        hours = fields.get("hours", "")
        if not hours.isdecimal() or len(hours) > 3:
            raise ActError("say for how many hours")
        country, event = "", ""
        if fields.get("event"):
            event = (await self._event(fields)).id
        else:
            country = self._country(fields)
        lasting = timedelta(hours=int(hours))
        await mute(self._store, country, event, lasting, who=who, now=now)
        self._acting.wake()
        return f"events/{event}" if event else f"countries/{country}"

    async def _unmute(self, fields: Fields, who: str, now: datetime) -> str:
        country, event = fields.get("country", ""), fields.get("event", "")
        await unmute(self._store, country, event, who=who, now=now)
        self._acting.wake()
        return "actions"

    async def _test(self, fields: Fields, who: str, now: datetime) -> str:
        settings, name = self._acting.settings().notify, fields.get("route", "")
        routes = [route for route in settings.route if route.name == name]
        if not routes:
            raise ActError("choose a route of the configuration")
        if self._last_try is not None and now - self._last_try < _TESTS_APART:
            raise ActError("a test was sent just now: wait ten seconds")
        self._last_try = now
        await self._store.note(act_of(who, now, ActKind.TEST, f"route {name}"))
        self._tried = await try_all(self._acting.service, routes, settings.timeout, now)
        self._tried_at = now
        return "actions"

    async def _acknowledge(self, fields: Fields, who: str, now: datetime) -> str:
        findings, key = self._publisher.snapshot.weaknesses, fields.get("finding", "")
        await acknowledge(self._store, findings, key, who=who, now=now)
        return ""

    async def _event(self, fields: Fields) -> Event:
        id_ = fields.get("event", "")
        if len(id_) <= LONGEST_ID and id_.isprintable():
            found = await first_rows(self._store.events(Selection(event=id_, batch=1)), 1)
            if id_ and found:
                return found[0]
        raise ActError("there is no such event")

    def _country(self, fields: Fields) -> str:
        code = fields.get("country", "")
        if code not in self._publisher.snapshot.countries:
            raise ActError("choose a country that is watched")
        return code

    # -- the page ----------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        reader, now = self._reader(request), self._publisher.now()
        snapshot = self._publisher.snapshot
        problem = False
        acts, mutes = [], []
        try:
            acts = await self._store.acts(since=now - SHOWN_FOR)
            mutes = [one for one in await self._store.mutes() if one.until > now]
        except StorageError as error:
            log.error("the audit log cannot be read", error=str(error))
            problem = True
        titles = titles_of(snapshot)
        shown: dict[str, Any] = {
            "problem": problem,
            "viewer": REFUSALS["role"],
            "acts_done": acts[: -SHOWN - 1 : -1],
            "mutes": mutes,
            "jobs": self._reports.jobs,
            "busy": self._reports.busy,
            "titles": titles,
            "countries": snapshot.countries,
            "month_ago": f"{now - timedelta(days=30):%Y-%m-%dT%H:%M}",
            "routes": [route.name for route in self._acting.settings().notify.route],
            "tried": self._tried,
            "tried_at": self._tried_at,
        }
        return await page("actions.html", reader, now, lambda: shown)

    async def _download(self, request: Request) -> Response:
        found = self._reports.file(request.path_params["id"])
        if found is None:
            reader, now = self._reader(request), self._publisher.now()
            message = reader.words.gettext("There is no such page")
            shown = {"message": message, "meant": ""}
            return await page("problem.html", reader, now, lambda: shown, status=404)
        return FileResponse(found, media_type="application/zip", filename="report.zip")


def _moment(name: str, fields: Fields) -> datetime | None:
    text = fields.get(name, "").strip()
    try:
        return moment_of(text).astimezone(UTC) if text else None
    except ValueError as error:
        raise ActError(f"{name}: write a time in UTC, as in 2024-02-17T18:00") from error
