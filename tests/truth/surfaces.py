"""Everything that the program says at one moment, on every surface, as it is."""

import asyncio
import csv
import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import msgspec
from typer.testing import CliRunner

from monitor.analysis.events.event import Event
from monitor.cli.main import app as command_line
from monitor.config.settings import Settings
from monitor.export.public_view import PublicView, is_public
from monitor.metrics.all_families import families
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.metrics.snapshot import Snapshot
from monitor.report.collect import gather
from monitor.report.compose import document
from monitor.report.document import Block, Bullets, Facts, Heading, Para, Picture, Table
from monitor.report.findings import Imprint, Wanted
from monitor.server import create_app
from monitor.server.page import Reader, render
from monitor.server.present_shown import now_shown
from monitor.server.preview_text import preview_of
from monitor.wording.languages import BY_CODE
from probes.vantage import VantagePoint
from storage.open_store import sql_store
from storage.values.selection import Selection
from tests.truth.live import LANGUAGES, TITLES, Living
from tests.truth.phrases import plain
from tests.truth.reading import Chosen
from tests.truth.world import COUNTRY, ELSEWHERE, OPEN_PLATFORM, PLATFORM
from tests.worlds.build import START
from tests.worlds.http_client import httpx

_LINES = {
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "li",
    "div",
    "td",
    "th",
    "dt",
    "dd",
    "tr",
    "caption",
    "title",
}
_UNREAD = {"script", "style", "svg"}
_ATOM = "{http://www.w3.org/2005/Atom}"
PAGES = ("", f"countries/{COUNTRY}", "events")
"""Those that are always there."""
MORE = (
    f"platforms/{PLATFORM}",
    f"platforms/{OPEN_PLATFORM}",
    f"cards/{COUNTRY}",
    f"cards/{COUNTRY}/{PLATFORM}",
)
"""Those that are made of the same functions: read last."""
COMPARED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "together": {"country": (COUNTRY, ELSEWHERE), "span": ("day",)},
    "network": {"country": (COUNTRY,), "span": ("day",), "by": ("network",)},
}
"""What is compared, by the hour."""
QUIET = ("BD", "KE", "TR")
"""Countries that are watched beside the world's, and from which nothing comes."""

Samples = list[tuple[str, dict[str, str], float]]
"""Name, labels and value of each sample."""


class Cell(msgspec.Struct, frozen=True):
    """A cell of the matrix: the head of its row, the platform's own name, and its first words."""

    head: str
    title: str
    state: str


class Mark(msgspec.Struct, frozen=True):
    """A coloured part of a drawing: the class of its colour, and what it says."""

    kind: str
    said: str


class Strip(msgspec.Struct, frozen=True):
    """A strip of the past: the head of its row, its coloured parts, and the words beside it."""

    head: str
    runs: tuple[Mark, ...]
    said: str
    covered: str = ""
    """How much of the time is decided, undecided and not watched, where that stands apart."""


class Page(msgspec.Struct, frozen=True):
    """A page as the lines that a reader sees, the cells of its matrix, and its drawings."""

    name: str
    language: str
    lines: tuple[str, ...]
    cells: tuple[Cell, ...] = ()
    strips: tuple[Strip, ...] = ()
    tiles: tuple[Mark, ...] = ()
    """Squares of its map."""
    chosen: Chosen | None = None
    """The filters, where it has any."""
    status: int = 200


class Report(msgspec.Struct, frozen=True):
    """A signed report, as its blocks."""

    country: str
    language: str
    title: str
    blocks: tuple[Block, ...]


class Command(msgspec.Struct, frozen=True):
    """What a command printed, and its exit code."""

    arguments: tuple[str, ...]
    text: str
    code: int
    chosen: Chosen | None = None


class Answer(msgspec.Struct, frozen=True):
    """What the API answered."""

    path: str
    status: int
    body: Any
    chosen: Chosen | None = None


class Entry(msgspec.Struct, frozen=True):
    """An event in a feed."""

    title: str
    text: str
    tags: tuple[str, ...]


class Feed(msgspec.Struct, frozen=True):
    """A feed of events, as both formats have it."""

    language: str
    atom: tuple[Entry, ...]
    json: tuple[Entry, ...]


class Badge(msgspec.Struct, frozen=True):
    """A badge: what it is about, and what it says."""

    language: str
    platform: str
    """Empty for the whole country."""
    said: str


class Surfaces(msgspec.Struct, frozen=True, kw_only=True):
    """All of them at one moment."""

    pages: tuple[Page, ...]
    feeds: tuple[Feed, ...] = ()
    badges: tuple[Badge, ...] = ()
    reports: tuple[Report, ...] = ()
    commands: tuple[Command, ...] = ()
    answers: tuple[Answer, ...] = ()
    tables: dict[str, list[dict[str, str]]]
    """CSV files by name."""
    samples: Samples
    """Metrics."""


def read(now: Living, config: Path, *, everything: bool) -> Surfaces:
    """Read the surfaces in a loop of their own; `everything` with reports and commands."""
    return asyncio.run(_read(now, config, everything=everything))


async def _read(now: Living, config: Path, *, everything: bool) -> Surfaces:
    store = sql_store(now.settings.database, create=False)
    await store.open()
    try:
        events = [one async for page in store.events(Selection()) for one in page]
        ids = [event.id for event in events]
        registry = create_registry(now.publisher)
        site = create_app(now.publisher, registry, store=store)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=site), base_url="http://watch.example"
        ) as client:
            shown = [
                await _page(client, path, code)
                for code in LANGUAGES
                for path in (*PAGES, *(f"events/{i}" for i in ids), *(MORE if everything else ()))
            ]
            shown += [
                picture_of(one, code) for code in LANGUAGES for one in events if is_public(one)
            ]
            shown += [mapped(now.publisher.snapshot, now.at, code) for code in LANGUAGES]
            feeds = [await _feed(client, code) for code in LANGUAGES if everything]
            badges = [
                await _badge(client, code, platform)
                for code in LANGUAGES
                for platform in ("", PLATFORM, OPEN_PLATFORM)
                if everything
            ]
            if everything:
                shown += [
                    await _page(client, "events", code, chosen)
                    for code in LANGUAGES
                    for chosen in (*CHOICES, *WRONG_ON_THE_PAGE)
                ]
                shown += [
                    await _compared(client, way, code) for code in LANGUAGES for way in COMPARED
                ]
            kinds = ("events", "availability", "stretches") if everything else ("events",)
            tables = {name: await _table(client, f"api/v1/{name}.csv") for name in kinds}
            answers = [await _answer(client, f"api/v1/{name}") for name in kinds]
            if everything:
                answers += [await _answer(client, "api/v1/events", one) for one in DATA_CHOICES]
            answers += [
                await _answer(client, f"api/v1/{kind}?{name}={value}")
                for kind in ("events", "availability")
                for name, value in (WRONG if everything else ())
            ]
        reports: list[Report] = []
        if everything:
            for country in (COUNTRY, ELSEWHERE):
                reports += await _reports(now, store, country)
    finally:
        await store.close()
    commands = await asyncio.to_thread(_commands, config, ids) if everything else []
    return Surfaces(
        pages=tuple(shown),
        feeds=tuple(feeds),
        badges=tuple(badges),
        reports=tuple(reports),
        commands=tuple(commands),
        answers=tuple(answers),
        tables=tables,
        samples=scraped(now.publisher),
    )


def scraped(publisher: Publisher) -> Samples:
    """The metrics at this moment."""
    return [
        (one.name, {name: str(text) for name, text in one.labels.items()}, one.value)
        for metric in families(publisher.snapshot, publisher.now())
        for one in metric.samples
    ]


# -- the page ------------------------------------------------------------------------------------


class Text(HTMLParser):
    """The text of a page, a line for each block, the cells of its matrix, and its drawings."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.cells: list[Cell] = []
        self.strips: list[Strip] = []
        self.tiles: list[Mark] = []
        self._runs: list[Mark] = []
        self._words: int | None = None
        """Of the row of a strip: the first of its lines."""
        self._drawn = ""
        self._title: str | None = None
        self._line = ""
        self._unread = 0
        self._head = ""
        self._platform: str | None = None
        self._bold = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self._unread += tag in _UNREAD
        self._line_ends(tag)
        if tag == "td":
            self._platform = dict(attrs).get("data-platform")
        self._bold = tag == "b"
        kind = dict(attrs).get("class") or ""
        if tag == "svg" and kind == "strip":
            self._words, self._runs = len(self.lines), []
        if self._unread and tag in ("a", "rect"):
            self._drawn = kind
        if self._unread and tag == "title":
            self._title = ""

    def handle_endtag(self, tag: str) -> None:
        self._unread -= tag in _UNREAD
        if tag == "th":
            self._head = plain(self._line)
        if tag == "td":
            self._platform = None
        self._line_ends(tag)
        self._bold = False
        if tag == "title" and self._title is not None:
            of_the_map = self._drawn.startswith("is-")
            mark = Mark(self._drawn.removeprefix("is-"), plain(self._title))
            (self.tiles if of_the_map else self._runs).append(mark)
            self._title = None
        if tag == "tr" and self._words is not None:
            said = self.lines[self._words :]
            self.strips.append(Strip(self._head, tuple(self._runs), *said[:2]))
            self._words = None

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self._line += data
        if self._title is not None:
            self._title += data
        if self._bold and self._platform is not None:
            self.cells.append(Cell(self._head, self._platform, plain(data)))

    def _line_ends(self, tag: str) -> None:
        if tag in _LINES:
            if text := plain(self._line):
                self.lines.append(text)
            self._line = ""


async def _page(
    client: httpx.AsyncClient, path: str, code: str, chosen: Chosen | None = None
) -> Page:
    filters = msgspec.to_builtins(chosen) if chosen is not None else {}
    answer = await client.get(f"/{path}", params={"lang": code, **filters})
    page = page_of(path or "front", code, answer.text)
    return msgspec.structs.replace(page, chosen=chosen, status=answer.status_code)


async def _compared(client: httpx.AsyncClient, way: str, code: str) -> Page:
    """The page that compares."""
    answer = await client.get("/compare", params={"lang": code, **COMPARED[way]})
    page = page_of(f"compare/{way}", code, answer.text)
    return msgspec.structs.replace(page, status=answer.status_code)


def mapped(snapshot: Snapshot, at: datetime, code: str) -> Page:
    """The first page where more countries are watched, so that it has a map: from these nothing
    ever came."""
    more = tuple(
        VantagePoint(id=f"quiet-{country.lower()}", country=country, asn=64600 + number)
        for number, country in enumerate(QUIET)
    )
    quiet = Publisher(more, snapshot.catalog, lambda: at).snapshot.vantages
    beside = msgspec.structs.replace(snapshot, vantages=(*snapshot.vantages, *quiet))
    reader = Reader(language=BY_CODE[code], chosen=True, operator=True, path="", query={})
    values = {**now_shown(reader, beside, at, {}), "over": []}
    return page_of("map", code, render("now.html", reader, at, **values))


def picture_of(event: Event, code: str) -> Page:
    """The picture of an event: its texts, what happened first, as on a page."""
    said = preview_of(BY_CODE[code], PublicView().event(event), TITLES, ())
    facts = (text for fact in said.facts for text in fact)
    lines = (said.title, said.meaning, *facts, said.description)
    return Page(f"pictures/{event.id}", code, tuple(map(plain, lines)))


async def _feed(client: httpx.AsyncClient, code: str) -> Feed:
    atom, as_json = [
        await client.get(f"/feed.{name}", params={"lang": code}) for name in ("atom", "json")
    ]
    root = ElementTree.fromstring(atom.text)  # noqa: S314 # our own
    return Feed(
        code,
        tuple(
            Entry(
                one.findtext(f"{_ATOM}title", ""),
                one.findtext(f"{_ATOM}content", ""),
                tuple(tag.get("term", "") for tag in one.iter(f"{_ATOM}category")),
            )
            for one in root.iter(f"{_ATOM}entry")
        ),
        tuple(
            Entry(one["title"], one["content_text"], tuple(one["tags"]))
            for one in as_json.json()["items"]
        ),
    )


async def _badge(client: httpx.AsyncClient, code: str, platform: str) -> Badge:
    path = f"badges/{COUNTRY}{platform and '/'}{platform}.svg"
    answer = await client.get(f"/{path}", params={"lang": code})
    drawn = ElementTree.fromstring(answer.text)  # noqa: S314 # our own
    return Badge(code, platform, plain(drawn.get("aria-label", "").partition(": ")[2]))


def page_of(name: str, code: str, text: str) -> Page:
    """What a reader sees of a page."""
    read = Text()
    read.feed(text)
    return Page(
        name,
        code,
        tuple(read.lines),
        cells=tuple(read.cells),
        strips=tuple(read.strips),
        tiles=tuple(read.tiles),
    )


# -- report --------------------------------------------------------------------------------------


async def _reports(now: Living, store: Any, country: str) -> list[Report]:
    wanted = Wanted(country=country, platform=PLATFORM, since=START, until=now.at)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        findings = await gather(store, wanted, Path(folder), now.settings.interval)
    for code in LANGUAGES:
        imprint = Imprint(
            version="1",
            generated_at=now.at,
            fingerprint="ab" * 32,
            title=TITLES[PLATFORM],
            language=BY_CODE[code],
        )
        made = document(findings, imprint)
        found.append(Report(country, code, made.title, made.blocks))
    return found


def lines_of(block: Block) -> list[str]:
    """The sentences of a block of a report, but for its tables and facts."""
    match block:
        case Heading(text=text) | Para(text=text):
            return [plain(text)]
        case Bullets(items=items):
            return [plain(one) for one in items]
        case Picture(alt=alt, caption=caption):
            return [plain(alt), plain(caption)]
        case Facts(rows=rows):
            return [plain(f"{name}: {value}") for name, value in rows]
        case Table(caption=caption):
            return [plain(caption)]
    return []


# -- API and files -------------------------------------------------------------------------------


async def _answer(client: httpx.AsyncClient, path: str, chosen: Chosen | None = None) -> Answer:
    query = f"?{urlencode(msgspec.to_builtins(chosen))}" if chosen is not None else ""
    answer = await client.get(f"/{path}{query}")
    return Answer(f"{path}{query}", answer.status_code, answer.json(), chosen)


async def _table(client: httpx.AsyncClient, path: str) -> list[dict[str, str]]:
    answer = await client.get(f"/{path}")
    return list(csv.DictReader(io.StringIO(answer.text))) if answer.status_code == 200 else []


# -- commands ------------------------------------------------------------------------------------


def config_of(configured: Settings, folder: Path) -> Path:
    """The configuration file of the installation that watches a world."""
    vantages = "".join(
        f'[[vantage]]\nid = "{one.id}"\ncountry = "{one.country}"\nasn = {one.asn}\n'
        f'network = "{one.network}"\nrole = "{one.role}"\n'
        for one in configured.vantages
    )
    file = folder / "shutwatch.toml"
    platforms = f'[catalog]\nplatforms = ["{PLATFORM}", "{OPEN_PLATFORM}"]\n'
    file.write_text(f'database = "{configured.database}"\n{platforms}{vantages}', "utf-8")
    return file


WRONG = (
    ("country", "Pakistan"),
    ("country", "zz"),
    ("platform", "nosuch"),
    ("platform", "twitter"),
)
"""Filters with a mistake in their value: none may be answered as if nothing were found."""
WRONG_ON_THE_PAGE = (
    *(Chosen(**{name: value}) for name, value in WRONG),
    Chosen(state="blocked"),
    Chosen(days="8"),
)
DATA_CHOICES = (
    Chosen(country=COUNTRY.lower()),
    Chosen(country=ELSEWHERE),
    Chosen(platform=PLATFORM),
    Chosen(platform=OPEN_PLATFORM),
)
"""Filters without a mistake."""
CHOICES = (
    *DATA_CHOICES,
    Chosen(country=COUNTRY, platform=PLATFORM, days="7"),
    Chosen(state="confirmed"),
    Chosen(state="ended"),
)
"""Those of the page."""


def _commands(config: Path, ids: Sequence[str]) -> list[Command]:
    asked = [
        *(("event", "list", f"--{name}", value) for name, value in WRONG),
        ("event", "list"),
        ("event", "list", "--json"),
        *(("event", "show", one) for one in ids),
    ]
    filtered = [
        msgspec.structs.replace(run(config, "event", "list", *_options(one)), chosen=one)
        for one in DATA_CHOICES
    ]
    return [*(run(config, *arguments) for arguments in asked), *filtered]


def _options(chosen: Chosen) -> Iterator[str]:
    for name, value in msgspec.to_builtins(chosen).items():
        yield from (f"--{name}", value)


def run(config: Path, *arguments: str) -> Command:
    """One command, in this process."""
    done = CliRunner().invoke(
        command_line, [*arguments, "--config", str(config)], env={"COLUMNS": "200"}
    )
    return Command(arguments, done.output, done.exit_code)


def json_lines(command: Command) -> list[Any]:
    """What a command printed with --json."""
    return [json.loads(line) for line in command.text.splitlines() if line.startswith("{")]
