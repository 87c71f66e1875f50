"""How a page is made: its templates, its style, its policy, and the links that keep its language.

Readable with no script, no external resource and no colour vision: every state is a word.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from monitor import __version__
from monitor.analysis.events.event import Event, EventKind, EventState, NetworkStatus
from monitor.analysis.verdict import State
from monitor.config.catalog import shipped_catalog
from monitor.metrics.snapshot import Snapshot
from monitor.server.access import sees_vantages
from monitor.server.matrix import Cell
from monitor.wording.acts import ACTS, COMMAND_LINE
from monitor.wording.changes import change_in_words
from monitor.wording.durations import ago, interval
from monitor.wording.events import condition, extent, founded, passing, seems_over
from monitor.wording.failures_and_methods import method_in_words, method_name
from monitor.wording.functions import function_in_words
from monitor.wording.grades import GRADES, grade_and_meaning
from monitor.wording.html import HtmlWords, html_words
from monitor.wording.languages import BY_CODE, LANGUAGES, N_, Language, language_of
from monitor.wording.networks import network_name
from monitor.wording.observations import layer_in_words
from monitor.wording.reviews import ANNOTATION_KINDS, MARKS
from monitor.wording.states import EVENT_STATES, KINDS, STATE_MEANINGS, STATES, event_state_meaning
from monitor.wording.support import doubts, network_weight, weight
from monitor.wording.times import moment
from monitor.wording.vantage_health import VANTAGE_STATES

Context = dict[str, Any]
"""The values of a template."""
LONGEST_ID = 100
"""Characters of an id or a value in an address."""
MUTE_HOURS = (1, 6, 24, 72, 168)
"""For how long a form offers to mute."""
REFRESH = 60
"""Seconds between two loads of a page that refreshes itself."""

TEMPLATES = files(__package__) / "templates"
STYLE = (TEMPLATES / "style.css").read_text("utf-8")
SCRIPT = (TEMPLATES / "live.js").read_text("utf-8")
ICON = (TEMPLATES / "icon.svg").read_text("utf-8")


def _source(text: str) -> str:
    """What stands in the page, and nothing else, for a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; img-src 'self'; style-src {_source(STYLE)}; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of what is shown: its own style, its own icon, nothing else."""
PAGE_POLICY = f"{POLICY}; script-src {_source(SCRIPT)}; connect-src 'self'"
"""Of a page: its own script too, which asks for the same page again."""
POLICY_WITH_FORMS = PAGE_POLICY.replace("form-action 'none'", "form-action 'self'")
"""For those who may act, and for a page that asks what to show."""

SOURCES, WITHHELD = "sources", "withheld"
NAVIGATION = (
    ("", N_("Now")),
    ("events", N_("Events")),
    ("vantages", N_("Vantage points")),
    ("actions", N_("Actions")),
    (SOURCES, N_("What others measure")),
    (WITHHELD, N_("What platforms withhold")),
)


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """The reader of a page, with the page's address."""

    language: Language
    chosen: bool
    """Whether the language was asked for by its code, so that links must keep it."""
    operator: bool
    """Whether single vantages may be seen."""
    follows: bool = False
    """Whether a source of others' measurements is followed."""
    withholds: bool = False
    """Whether pages are looked at that platforms may withhold."""
    acting: bool = False
    """Whether this server has the page of what editors did."""
    may_sign_in: bool = False
    """Whether signing in shows more than this reader sees."""
    editor: str = ""
    """Name of the user, if they may act."""
    token: str = ""
    """Of that user's forms."""
    path: str
    """As in `events/0123`, without the slash in front."""
    query: Mapping[str, tuple[str, ...]]
    """The query without the language: each name with its values."""

    @property
    def words(self) -> HtmlWords:
        """The words of the language."""
        return html_words(self.language)

    @property
    def root(self) -> str:
        """The relative address of the first page, whatever path a proxy serves it under."""
        return "../" * self.path.count("/")

    def link(self, path: str, **query: object) -> str:
        """A relative address within the page, in the same language."""
        kept = {"lang": self.language.code} if self.chosen else {}
        asked = {**query, **kept}
        where = self.root + "/".join(quote(part, safe="") for part in path.split("/"))
        return (where or "./") + (f"?{urlencode(asked, doseq=True)}" if asked else "")

    def in_language(self, code: str) -> str:
        """The same page in another language."""
        return self.with_query(lang=code)

    def with_query(self, **changed: object) -> str:
        """The same page with another query; None leaves a part of it out."""
        here = self.path.rpartition("/")[2]
        kept = {"lang": self.language.code} if self.chosen else {}
        asked = {**self.query, **kept, **changed}
        kept_of = {name: value for name, value in asked.items() if value is not None}
        query = urlencode(kept_of, doseq=True)
        return (quote(here, safe="") or "./") + (f"?{query}" if query else "")


def render(name: str, reader: Reader, at: datetime, **context: object) -> str:
    """A template as HTML, as of that moment (UTC)."""
    words = reader.words
    hidden = {
        *([] if reader.operator else ["vantages"]),
        *([] if reader.operator and reader.acting else ["actions"]),
        *([] if reader.follows else [SOURCES]),
        *([] if reader.withholds else [WITHHELD]),
    }
    shown = [one for one in NAVIGATION if one[0] not in hidden]
    return (
        _environment()
        .get_template(name)
        .render(
            _=words.gettext,
            ngettext=words.ngettext,
            words=words,
            lang=reader.language,
            languages=LANGUAGES,
            navigation=[(target, words.gettext(message)) for target, message in shown],
            here=reader.path.partition("/")[0],
            link=reader.link,
            in_language=reader.in_language,
            root=reader.root,
            operator=reader.operator,
            sign_in=reader.may_sign_in and not reader.operator,
            editor=reader.editor,
            token=reader.token,
            done=bool(reader.editor) and "done" in reader.query,
            live="live" in reader.query,
            at=at,
            as_of=moment(words, at),
            version=__version__,
            refresh=REFRESH,
            shown_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
            live_link=reader.with_query(live=1),
            still_link=reader.with_query(live=None),
            age=age,
            style=Markup(STYLE),  # noqa: S704 - our own file, and its hash is the policy
            script=Markup(SCRIPT),  # noqa: S704 - the same
            **context,
        )
    )


async def page(
    name: str,
    reader: Reader,
    at: datetime,
    context: Callable[[], Mapping[str, Any]],
    *,
    status: int = 200,
    asks: bool = False,
) -> HTMLResponse:
    """The page made from a template; `context` gives its values, in the same thread. `asks`, where
    it has a form for everybody."""
    forms = asks or reader.editor
    headers = {
        "Content-Security-Policy": POLICY_WITH_FORMS if forms else PAGE_POLICY,
        "Content-Language": reader.language.code,
        "Vary": "Accept-Language",
    }
    if reader.editor:
        # Without it browsers do not say where a form comes from.
        headers["Referrer-Policy"] = "same-origin"
    return HTMLResponse(
        await asyncio.to_thread(lambda: render(name, reader, at, **context())),
        status_code=status,
        headers=headers,
    )


def reader_of(request: Request) -> Reader:
    """The reader who sends a request."""
    asked = request.query_params.get("lang", "")
    return Reader(
        language=language_of(asked, request.headers.get("accept-language", "")),
        chosen=asked in BY_CODE,
        operator=sees_vantages(request),
        path=request.url.path.removeprefix(request.scope.get("root_path", "")).lstrip("/"),
        query=query_of(request, 10),
    )


def query_of(request: Request, most: int) -> dict[str, tuple[str, ...]]:
    """At most so many parts of a request's query, each cut, without the language."""
    items = [item for item in request.query_params.multi_items() if item[0] != "lang"]
    found: dict[str, tuple[str, ...]] = {}
    for name, value in items[:most]:
        found[name] = (*found.get(name, ()), value[:LONGEST_ID])
    return found


def titles_of(snapshot: Snapshot) -> dict[str, str]:
    """Platform that is watched → its own name."""
    return {platform.name: platform.title for platform in snapshot.catalog.platforms}


def all_titles(snapshot: Snapshot) -> dict[str, str]:
    """The same, with the platforms that shutwatch comes with: an event may be about one of these
    that is no longer watched."""
    shipped = {platform.name: platform.title for platform in shipped_catalog().platforms}
    return {**shipped, **titles_of(snapshot)}


def age(words: HtmlWords, then: datetime, at: datetime) -> Markup:
    """How long before `at`; the script keeps it true while the page is open."""
    shown = f"{then:%Y-%m-%dT%H:%M:%SZ}"
    return Markup('<time class="age" datetime="{}">{}</time>').format(shown, ago(words, then, at))


def slug(word: str) -> str:
    """A word as a CSS class."""
    return word.replace(" ", "-").replace("_", "-")


def bar_class(event: Event) -> str:
    """The colour of an event on the axis: red for blocks that are, or were, certain."""
    if event.state in (EventState.DISMISSED, EventState.WITHDRAWN):
        return "doubted"
    grave = event.kind in (EventKind.BLOCK, EventKind.SHUTDOWN)
    return "certain" if grave and event.sure else "suspected"


def tag_colour(event: Event) -> str:
    """The class of an event's tag: red only for what is certain, and lasts."""
    grave = event.kind in (EventKind.BLOCK, EventKind.SHUTDOWN)
    if event.state is EventState.CONFIRMED and grave and not event.wholly_unobserved:
        return "blocked"
    return "suspected" if event.active else "grey"


def cell_colour(cell: Cell) -> str:
    """The class of a cell: not green while a block lasts and a network is not known to be open."""
    unsure = cell.event is not None and cell.networks < cell.of
    return State.DEGRADED if cell.state == State.OK and unsure else cell.state


def colour(event: Event, network: NetworkStatus) -> str:
    """The class of a network's mark: red only for what is certain."""
    if not network.affected:
        return "ok" if network.found_open else "insufficient"
    sure = event.state is EventState.CONFIRMED and network.blocked_now
    return "blocked" if sure else "suspected"


def web(text: str) -> bool:
    """Whether this may be linked to: a plain http or https address."""
    try:
        found = urlsplit(text)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(found.hostname) and text.isprintable()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(str(TEMPLATES)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"slug": slug, "web": web}
    environment.globals |= {
        "states": STATES,
        "state_meanings": STATE_MEANINGS,
        "event_states": EVENT_STATES,
        "event_state_meaning": event_state_meaning,
        "kinds": KINDS,
        "grades": GRADES,
        "vantage_states": VANTAGE_STATES,
        "marks": MARKS,
        "annotation_kinds": ANNOTATION_KINDS,
        "acts": ACTS,
        "command_line": COMMAND_LINE,
        "mute_hours": MUTE_HOURS,
        "bar_class": bar_class,
        "change": change_in_words,
        "colour": colour,
        "tag_colour": tag_colour,
        "cell_colour": cell_colour,
        "condition": condition,
        "weight": weight,
        "doubts": doubts,
        "passing": passing,
        "network_weight": network_weight,
        "function": function_in_words,
        "extent": extent,
        "founded": founded,
        "grade_and_meaning": grade_and_meaning,
        "interval": interval,
        "layer": layer_in_words,
        "method": method_in_words,
        "method_name": method_name,
        "moment": moment,
        "network_name": network_name,
        "seems_over": seems_over,
    }
    return environment
