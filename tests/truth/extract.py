"""From everything that is said at one moment to the false claims of it."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from monitor.notify.message_value import Message
from monitor.report.document import Facts, Table
from monitor.wording.states import STATES
from tests.truth import data, past
from tests.truth.circumstances import CIRCUMSTANCES
from tests.truth.coverage import EVENTS_PAGE
from tests.truth.live import ADDRESS, FALSE_ADDRESS, TITLES, Sent
from tests.truth.phrases import When, plain
from tests.truth.reading import FalseClaim, Reading, Scope, chosen
from tests.truth.sentences import LINES, MESSAGE_LINES, SENTENCES, facts, read
from tests.truth.surfaces import (
    WRONG_ON_THE_PAGE,
    Badge,
    Cell,
    Feed,
    Page,
    Report,
    Surfaces,
    lines_of,
)
from tests.truth.truth import ANY, Truth
from tests.truth.world import COUNTRY, PLATFORM, Method, World

_NOW = Scope(now=True)
_MONTH = Scope(now=False, since=-30 * 86400.0)
"""What the list of events is about, unless another time is chosen."""
_ABOUT_IT = Scope(now=False, platforms=(PLATFORM,))


def false_claims(
    world: World, seconds: float, said: Surfaces, sent: Iterable[Sent], *more: Reading
) -> tuple[list[FalseClaim], int]:
    """The false claims of all surfaces at that moment and of the messages sent until then, and the
    number of claims; `more` are read already."""
    truth = Truth(world, seconds)
    readings = [
        *_pages(truth, said),
        *(_report(truth, one) for one in said.reports),
        *(data.command(truth, one) for one in said.commands),
        *(_feed(truth, one) for one in said.feeds),
        *(_badge(truth, one) for one in said.badges),
        *(_message(world, one) for one in sent),
        data.events(truth, said),
        data.stretches(truth, said),
        data.availability(truth, said),
        data.metrics(truth, said),
        *more,
    ]
    return [one for reading in readings for one in reading.false], sum(r.claims for r in readings)


def _pages(truth: Truth, said: Surfaces) -> Iterator[Reading]:
    kinds = {row["event_id"]: row["kind"] for row in said.tables["events"]}
    for page in said.pages:
        folder, _, event = page.name.partition("/")
        name = "event" if event in kinds else folder
        scope = _MONTH if folder == "events" else _NOW
        about, surface = truth, f"page {name} ({page.language})"
        if page.chosen is not None:
            surface += f" {msgspec.to_builtins(page.chosen)}"
            about, scope = chosen(truth, scope, page.chosen)
        reading = Reading(about, surface, page.language, scope)
        if page.status != 200:
            _refused(reading, page)
        elif page.chosen in WRONG_ON_THE_PAGE:
            reading.check("a list of events", "that filter is mistyped")
        elif page.tiles:
            past.tiles(reading, page.tiles)
        elif kinds.get(event, "block") != "block":
            reading.read(page.lines[0], CIRCUMSTANCES, {})
        else:
            more = EVENTS_PAGE if name == "events" else {}
            # The list of events has all kinds of them; only blocks are read so.
            read(reading, (line for line in page.lines if "shutdown." not in line), more)
            for line in page.lines:
                reading.read(line, CIRCUMSTANCES, {})
            for cell in page.cells:
                _cell(reading, cell)
            for one in page.strips:
                past.strip(reading, page, one)
        yield reading


def _refused(reading: Reading, page: Page) -> None:
    """A filter is refused only where it is mistyped, by its name; every other page is there."""
    given = msgspec.to_builtins(page.chosen) if page.chosen in WRONG_ON_THE_PAGE else {}
    named = any(value in line for value in given.values() for line in page.lines)
    reading.check(f"status {page.status}", "" if page.status == 400 and named else "it is asked so")


def _cell(reading: Reading, cell: Cell) -> None:
    """A cell of the matrix, of a country or of a network."""
    platform = next(name for name, title in TITLES.items() if title == cell.title)
    asn = re.search(r"\(AS(\d+)\)", cell.head)
    truth = reading.truth
    wanted = truth.states(int(asn[1]), platform) if asn else truth.worst(platform)
    states = (state for state, word in STATES.items() if reading.whole(cell.state, word))
    told = next(states, cell.state)
    if wanted is not ANY:
        right = told in wanted
        sentence = f"{cell.head}, {cell.title}: {cell.state}"
        reading.check(sentence, "" if right else f"it is {' or '.join(sorted(wanted))}")


def _feed(truth: Truth, feed: Feed) -> Reading:
    """Each entry, and that both formats say the same."""
    reading = Reading(truth, f"feed ({feed.language})", feed.language, _MONTH)
    reading.check("the JSON feed", "" if feed.json == feed.atom else "the Atom feed is another")
    for one in feed.atom:
        if {"block", PLATFORM} <= set(one.tags):
            lines = (one.title, *one.text.splitlines())
            read(reading, map(plain, lines), MESSAGE_LINES)
        elif "block" in one.tags:
            reading.check(one.title, "that platform was never blocked")
        reading.read(plain(one.title), CIRCUMSTANCES, {})
    return reading


def _badge(truth: Truth, badge: Badge) -> Reading:
    """The state of a platform in the country, or the first line about the country."""
    reading = Reading(truth, f"badge ({badge.language})", badge.language, _NOW)
    if not badge.platform:
        reading.read(badge.said, SENTENCES, LINES)
    else:
        title = TITLES[badge.platform]
        _cell(reading, Cell("", title, badge.said.partition(" · ")[0]))
    return reading


def _message(world: World, sent: Sent) -> Reading:
    """A message tells what was known when the line of the log was written that it is about: a
    digest waits for an hour."""
    reading = _sent(world, sent, sent.seconds)
    if reading.false:
        then = _sent(world, sent, max(0.0, sent.seconds - DIGEST))
        known = {one.sentence for one in then.false}
        reading.false = [one for one in reading.false if one.sentence in known]
    return reading


def _sent(world: World, sent: Sent, seconds: float) -> Reading:
    code = sent.route.removeprefix("inbox-")
    reading = Reading(Truth(world, seconds), f"message ({code})", code)
    for text in _sections(sent.message):
        if any(TITLES[PLATFORM] in line for line in text[:3]):
            read(reading, map(plain, text), MESSAGE_LINES)
        reading.read(plain(text[0]), CIRCUMSTANCES, {})
    return reading


def _sections(message: Message) -> list[list[str]]:
    """The lines of each event that a message is about, its title first. The title of a message
    about several events is made of theirs."""
    parts = [part.splitlines() for part in message.body.split("\n\n")]
    return parts if len(parts) > 1 else [[message.title, *parts[0]]]


DIGEST = 3600.0
"""Seconds for which a notice of further networks waits."""


# -- report --------------------------------------------------------------------------------------


def _report(truth: Truth, report: Report) -> Reading:
    name = f"report on {report.country} ({report.language})"
    if report.country != COUNTRY:
        # A country without networks: nobody watches it.
        truth = Truth.of_nothing(truth.world, truth.seconds)
    reading = Reading(truth, name, report.language, _ABOUT_IT)
    reading.read(plain(report.title), SENTENCES, LINES)
    for block in report.blocks:
        reading.asn = None
        for line in lines_of(block):
            reading.read(line, SENTENCES, LINES)
        if isinstance(block, Table):
            _table(reading, block)
        elif isinstance(block, Facts):
            facts(reading, [plain(text) for row in block.rows for text in row])
    return reading


def _table(reading: Reading, table: Table) -> None:
    head = [plain(one) for one in table.header]

    def column(message: str) -> int | None:
        name = plain(str(reading.phrases.words.gettext(message)))
        return head.index(name) if name in head else None

    began, ended = column("Began between"), column("Ended between")
    if began is not None and ended is not None:
        for row in table.rows:
            _network(reading, row, plain(row[began]), plain(row[ended]))
    if column("From inside the network") is not None:
        dns = plain(str(reading.phrases.words.gettext("Name (DNS)")))
        for row in table.rows:
            if plain(row[0]) == dns:
                _dns(reading, plain(table.caption), *map(plain, row[1:3]))
    if (first := column("Open until")) is not None:
        for row in table.rows:
            _stretch(reading, row, *row[first : first + 3])


def _stretch(reading: Reading, row: tuple[str, ...], until: str, since: str, end: str) -> None:
    """Open until …, blocked from …, open again from …: a stretch of the country."""
    when = reading.phrases.when
    before, begun, over = when(plain(until)), when(plain(since)), when(plain(end))
    if begun is not None:
        onset = When(before.earliest if before else None, begun.latest)
        # The end has no earliest bound here: it is after the onset.
        ended = When(begun.earliest, over.latest) if over is not None else None
        reading.check(" | ".join(row), reading.truth.a_stretch(onset, ended))


def _network(reading: Reading, row: tuple[str, ...], began: str, ended: str) -> None:
    """A stretch of a network; where it has none, that it does not block."""
    asn = re.search(r"\(AS(\d+)\)", plain(row[0]))
    if asn is None:
        return
    number, told = int(asn[1]), " | ".join(map(plain, row))
    since, until = reading.phrases.when(began), reading.phrases.when(ended)
    if since is not None and any(reading.phrases.find(began, "before monitoring")):
        since = When(None, since.latest)
    unseen = (
        *("nobody saw when", "not known: nobody saw it end"),
        "not certain yet: it seems open again, and was last blocked at %(when)s",
    )
    if until is not None and any(any(reading.phrases.find(ended, one)) for one in unseen):
        until = When(until.earliest, None)
    if since is not None:
        reading.check(told, reading.truth.a_stretch(since, until, number))
    elif began == "—":
        reading.check(told, reading.truth.network(number, blocked=False, now=False))


def _dns(reading: Reading, caption: str, inside: str, outside: str) -> None:
    """The answer that mattered, on both sides: the address, or what was wrong."""
    told = f"{caption} DNS: {inside} | {outside}"
    addresses = set(ADDRESS.values())
    telling = {FALSE_ADDRESS} if Method.HIJACK in caption else {FALSE_ADDRESS, *addresses}
    failed = re.search(r"\[\w+\]", inside) is not None
    if not failed and not any(one in inside for one in telling):
        reading.check(told, "the answer inside was an address, which is not shown")
    elif re.search(r"\d", outside) and not any(one in outside for one in addresses):
        reading.check(told, "the answer outside was an address, which is not shown")
    else:
        reading.check(told, "")
