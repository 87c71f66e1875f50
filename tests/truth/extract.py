"""From what the surfaces say to claims, and from claims to the false ones."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import msgspec

from monitor.wording.events import _CONDITIONS, CLAIMS, Certainty
from tests.truth.live import ADDRESS, FALSE_ADDRESS, TITLES, Living, Sent
from tests.truth.phrases import Found, Phrases, When, phrases_in, plain
from tests.truth.surfaces import Command, Report, Surfaces, json_lines, lines_of
from tests.truth.truth import Seen, Truth, bounds, moment
from tests.truth.world import COUNTRY, INTERVAL, PLATFORM, Method
from tests.worlds.build import START

_NETWORK = re.compile(r"^(?:.*?)\(AS(?P<asn>\d+)\): (?P<rest>.+)$")
_CLI_TIME = r"(\d{4}-\d\d-\d\d \d\d:\d\d)Z"


class FalseClaim(msgspec.Struct, frozen=True):
    """A sentence that is not true."""

    world: str
    surface: str
    sentence: str
    truth: str
    at: str

    def __str__(self) -> str:
        return f"[{self.world}] {self.surface} at {self.at}: {self.sentence!r}, but {self.truth}"


Claim: TypeAlias = "Callable[[Reading, Found, str], Iterator[str]]"
"""What a message claims where it is found in a text: for each claim why it is false, or nothing."""


class Reading:
    """Reads sentences of one surface in one language against the truth of a moment."""

    def __init__(
        self,
        truth: Truth,
        surface: str,
        code: str = "en",
        more_lines: Mapping[str, Claim] | None = None,
    ) -> None:
        self.truth = truth
        self.surface = surface
        self.more_lines: Mapping[str, Claim] = more_lines or {}
        self.phrases: Phrases = phrases_in(code)
        self.false: list[FalseClaim] = []
        self.claims = 0
        """How many were compared."""
        self.asn: int | None = None
        """The network that the next lines are about."""

    def check(self, sentence: str, why: str) -> None:
        """Count a claim, and keep it if it is false."""
        self.claims += 1
        if why:
            truth = self.truth
            at = f"{truth.world.wall(truth.seconds):%d %b %H:%M}"
            self.false.append(FalseClaim(truth.world.name, self.surface, sentence[:300], why, at))

    def whole(self, text: str, message: str) -> bool:
        """Whether the text is that message."""
        return self.phrases.is_whole(text, message)

    def lines(self, lines: Iterable[str]) -> None:
        """Sentences, one after the other; a term and what is told of it are two lines."""
        before = ""
        for line in lines:
            self.line(line)
            self._fact(before, line)
            before = line

    def line(self, text: str) -> None:
        """One sentence."""
        for message, claim in SENTENCES.items():
            for found in self.phrases.find(text, message):
                for why in claim(self, found, text):
                    self.check(text, why)
        for message, claim in (dict(LINES) | dict(self.more_lines)).items():
            for found in self.phrases.find(text, message, whole=True):
                for why in claim(self, found, text):
                    self.check(text, why)
        network = _NETWORK.match(text)
        if network is not None:
            self._network(int(network["asn"]), network["rest"], text)

    def _network(self, asn: int, rest: str, text: str) -> None:
        """`PTCL (AS17557): blocked; method`."""
        if asn not in self.truth.cycles:
            return
        self.asn = asn
        first = re.split(r"[;؛,،]", rest)[0].strip()
        for (now, _, _), message in _CONDITIONS.items():
            if self.whole(first, message):
                self.check(text, self.truth.network(asn, blocked=True, now=now))
        if self.whole(first, "not blocked"):
            self.check(text, self.truth.network(asn, blocked=False, now=False))
        if self.whole(first, "seems open again"):
            self.check(text, self.truth.network(asn, blocked=False, now=True))

    def _fact(self, name: str, value: str) -> None:
        """`Since`, and the line after it."""
        when = self.phrases.when(value)
        if when is not None and self.whole(name, "Since"):
            self.check(f"{name} {value}", self.truth.since(when))
        if when is not None and self.whole(name, "Ended"):
            self.check(f"{name} {value}", self.truth.until(when))

    def when(self, text: str) -> When:
        """The time that a sentence must tell."""
        found = self.phrases.when(text)
        assert found is not None, text
        return found


# -- claims of sentences -------------------------------------------------------------------------


def _of(certainty: Certainty) -> Claim:
    def claim(self: Reading, found: Found, text: str) -> Iterator[str]:
        del text
        if found.holes["platform"] != TITLES[PLATFORM]:
            yield "that platform was never blocked"
        elif found.holes["country"] != plain(str(self.phrases.words.country(COUNTRY))):
            yield "nobody watches that country"
        else:
            match certainty:
                case Certainty.IS:
                    yield self.truth.is_blocked()
                case Certainty.NO_LONGER:
                    yield self.truth.no_longer_blocked()
                case _:
                    yield self.truth.was_blocked()

    return claim


def _on_networks(self: Reading, found: Found, text: str) -> Iterator[str]:
    now = any(
        next(self.phrases.find(text, CLAIMS[certainty, manner]), None)
        for certainty, manner in CLAIMS
        if certainty in (Certainty.IS, Certainty.MAY)
    )
    x, n = (self.phrases.number(found.holes[name]) for name in "xn")
    yield self.truth.networks(x, n, now=now)


def _on_the_only(self: Reading, _: Found, __: str) -> Iterator[str]:
    if len(self.truth.cycles) != 1:
        yield self.truth.networks(1, 1, now=False)


def _since(self: Reading, found: Found, _: str) -> Iterator[str]:
    if (when := self.phrases.when(found.holes["when"])) is not None:
        yield self.truth.since(when)


def _until(self: Reading, found: Found, _: str) -> Iterator[str]:
    if (when := self.phrases.when(found.holes["when"])) is not None:
        yield self.truth.until(when)


def _began(self: Reading, found: Found, text: str) -> Iterator[str]:
    """`Began … . Ended … .`: a stretch of a network on the page, the event in a report."""
    whens = self.phrases.whens(text)
    if self.asn is not None:
        yield self.truth.a_stretch(whens[0], whens[1] if len(whens) > 1 else None, self.asn)
    else:
        yield self.truth.since(self.phrases.when(found.holes["when"]) or whens[0])


def _going_on(self: Reading, _: Found, __: str) -> Iterator[str]:
    yield self.truth.going_on()


def _so_far(self: Reading, found: Found, _: str) -> Iterator[str]:
    (least, *_) = self.phrases.lengths(found.holes["least"])
    yield self.truth.lasted(least, None)


def _lasted(self: Reading, found: Found, _: str) -> Iterator[str]:
    least, most = (self.phrases.lengths(found.holes[name])[0] for name in ("least", "most"))
    yield self.truth.lasted(least, most)


def _tested(self: Reading, found: Found, _: str) -> Iterator[str]:
    x, n = (self.phrases.number(found.holes[name]) for name in "xn")
    yield self.truth.networks(x, n, now=False)


def _none_known(self: Reading, _: Found, __: str) -> Iterator[str]:
    yield self.truth.none_known()


def _none_detected(self: Reading, found: Found, _: str) -> Iterator[str]:
    country = plain(str(self.phrases.words.country(COUNTRY)))
    if found.holes["country"] != country:
        yield "nobody watches that country"
    else:
        yield self.truth.none_detected(0, self.truth.seconds)


def _controls_worked(self: Reading, _: Found, __: str) -> Iterator[str]:
    world = self.truth.world
    if not world.controls or world.control_faults:
        yield "no control worked throughout"
    else:
        yield ""


def _no_results(self: Reading, _: Found, __: str) -> Iterator[str]:
    last = [found[-1:] for found in self.truth.cycles.values()]
    decided = [one for found in last for one in found if one.decided]
    yield "a network has decided results" if decided else ""


def _some_without(self: Reading, found: Found, _: str) -> Iterator[str]:
    known = [asn for asn in self.truth.cycles if self.truth.certainly(asn)]
    last = [found[-1:] for found in self.truth.cycles.values()]
    without = sum(not any(one.decided for one in cycle) for cycle in last)
    x = self.phrases.number(found.holes["x"])
    if known:
        yield f"blocked on AS{known[0]}"
    else:
        yield "" if x == without else f"{without} networks have no decided results"


def _blocked_in(self: Reading, found: Found, text: str) -> Iterator[str]:
    network = re.search(r"\(AS(\d+)\)", found.holes["network"])
    if network is None:
        return
    seen = self.truth.cycles[int(network[1])]
    sure = sum(one.seen is Seen.BLOCKED for one in seen)
    most = sure + sum(one.seen is Seen.EITHER for one in seen)
    x = self.phrases.number(found.holes["x"])
    yield "" if sure <= x <= most else f"it was blocked in {sure} to {most} cycles"


SENTENCES: Mapping[str, Claim] = {
    **{message: _of(certainty) for (certainty, _), message in CLAIMS.items()},
    "%(platform)s may have been blocked or slowed down in %(country)s": _of(Certainty.WAS),
    "%(what)s on %(x)s of %(n)s networks": _on_networks,
    "%(what)s on the only network tested there": _on_the_only,
    "%(what)s, since %(when)s": _since,
    "Began %(when)s.": _began,
    "not yet at the last test, %(when)s": _going_on,
    "at least %(least)s so far": _so_far,
    "at least %(least)s, at most %(most)s": _lasted,
    "Networks: %(x)s of %(n)s tested: %(names)s": _tested,
    "No block of %(platform)s was detected in %(country)s": _none_detected,
    "The controls themselves worked throughout.": _controls_worked,
    "%(network)s: blocked in %(x)s of %(verdicts)s.": _blocked_in,
}
"""Messages that claim something, wherever they stand in a sentence."""

MESSAGE_LINES: Mapping[str, Claim] = {
    "Since: %(when)s": _since,
    "Until: %(when)s": _until,
}
"""Lines of messages; other surfaces have the same words for other things in some languages."""
LINES: Mapping[str, Claim] = {
    "No block detected": _none_known,
    "No block is known here at the moment.": _none_known,
    "No current results: none of your vantage points is working": _no_results,
    "No block detected, but %(x)s of %(n)s field vantages have no results": _some_without,
}
"""Those that are a whole line, or would be found in others."""


# -- surfaces ------------------------------------------------------------------------------------


def false_claims(now: Living, said: Surfaces) -> tuple[list[FalseClaim], int]:
    """The false claims of all surfaces at that moment, and the number of claims."""
    truth = Truth(now.world, now.seconds)
    readings = [
        *_pages(truth, said),
        *(_report(truth, one) for one in said.reports),
        *(_command(truth, one) for one in said.commands),
        *(_message(now, one) for one in now.inbox.sent),
        _events(truth, said),
        _availability(truth, said),
        _metrics(truth, said),
    ]
    return [one for reading in readings for one in reading.false], sum(r.claims for r in readings)


def _kinds(said: Surfaces) -> dict[str, str]:
    return {row["event_id"]: row["kind"] for row in said.tables["events"]}


def _pages(truth: Truth, said: Surfaces) -> Iterator[Reading]:
    kinds = _kinds(said)
    links = {f"events/{event}" for event in kinds}
    for page in said.pages:
        if kinds.get(page.name.removeprefix("events/"), "block") == "block":
            name = "event" if page.name in links else page.name.split("/")[0]
            reading = Reading(truth, f"page {name} ({page.language})", page.language)
            # The list of events has all kinds of them; only blocks are read here.
            reading.lines(line for line in page.lines if "shutdown." not in line)
            yield reading


def _message(now: Living, sent: Sent) -> Reading:
    code = sent.route.removeprefix("inbox-")
    truth = Truth(now.world, sent.seconds)
    reading = Reading(truth, f"message ({code})", code, MESSAGE_LINES)
    text = [sent.message.title, *sent.message.body.splitlines()]
    if any(TITLES[PLATFORM] in line for line in text[:3]):
        reading.lines(map(plain, text))
    return reading


def _report(truth: Truth, report: Report) -> Reading:
    reading = Reading(truth, f"report on {report.country} ({report.language})", report.language)
    words = reading.phrases.words
    reading.line(plain(report.title))
    for block in report.blocks:
        reading.asn = None
        for line in lines_of(block):
            reading.line(line)
        name = type(block).__name__
        if name == "Table":
            _report_table(reading, block)
        elif name == "Facts":
            for label, value in block.rows:  # type: ignore[union-attr]
                told, text = reading.phrases.when(plain(value)), f"{label}: {value}"
                lasts = reading.whole(plain(value), "not yet at the last test, %(when)s")
                if told is not None and plain(label) == plain(words.gettext("Began")):
                    reading.check(text, truth.since(told))
                if told is not None and not lasts and plain(label) == plain(words.gettext("Ended")):
                    reading.check(text, truth.until(told))
    return reading


def _report_table(reading: Reading, table: Any) -> None:
    words, truth = reading.phrases.words, reading.truth
    head = [plain(one) for one in table.header]
    column = {message: plain(str(words.gettext(message))) for message in _COLUMNS}
    if column["Began between"] in head:
        began, ended = head.index(column["Began between"]), head.index(column["Ended between"])
        for row in table.rows:
            _report_network(reading, row, row[began], row[ended])
    elif column["From inside the network"] in head:
        for row in table.rows:
            if plain(row[0]) == column["Name (DNS)"]:
                _dns(reading, plain(table.caption), *map(plain, row[1:3]))
    elif column["Open until"] in head:
        open_until = head.index(column["Open until"])
        for row in table.rows:
            earliest, latest, end = (
                reading.phrases.when(plain(cell)) for cell in row[open_until : open_until + 3]
            )
            told = " | ".join(row)
            if latest is not None:
                first = earliest.earliest if earliest else None
                reading.check(told, truth.since(When(first, latest.latest)))
            if end is not None:
                reading.check(told, truth.until(When(None, end.latest)))


_COLUMNS = (
    *("Began between", "Ended between", "From inside the network", "Name (DNS)"),
    *("Open until",),
)


def _report_network(reading: Reading, row: tuple[str, ...], began: str, ended: str) -> None:
    """A network's line: from its first onset to its last end, which must be one stretch."""
    asn = re.search(r"\(AS(\d+)\)", plain(row[0]))
    if asn is None:
        return
    since, until = reading.phrases.when(plain(began)), reading.phrases.when(plain(ended))
    if since is not None and any(reading.phrases.find(plain(began), "before monitoring")):
        since = When(None, since.latest)
    number, told = int(asn[1]), " | ".join(map(plain, row))
    if since is not None:
        reading.check(told, reading.truth.a_stretch(since, until, number))
    elif began == "—":
        reading.check(told, reading.truth.network(number, blocked=False, now=False))


def _dns(reading: Reading, caption: str, inside: str, outside: str) -> None:
    """The answer that mattered, on both sides: the address, or what was wrong."""
    told = f"{caption} DNS: {inside} | {outside}"
    asn = re.search(r"\(AS(\d+)\)", caption)
    network = next(
        (one for one in reading.truth.world.networks if asn and one.asn == int(asn[1])), None
    )
    if network is None or not network.blocks:
        return
    addresses = set(ADDRESS.values())
    hijacked = any(one.method is Method.HIJACK for one in network.blocks)
    telling = {FALSE_ADDRESS} if hijacked and "dns.hijack" in caption else addresses
    failed = re.search(r"\[\w+\]", inside) is not None
    if not failed and not any(one in inside for one in telling):
        reading.check(told, "the answer inside was an address, which is not shown")
    elif re.search(r"\d", outside) and not any(one in outside for one in addresses):
        reading.check(told, "the answer outside was an address, which is not shown")
    else:
        reading.check(told, "")


def _command(truth: Truth, command: Command) -> Reading:
    reading = Reading(truth, f"command {' '.join(command.arguments[:2])}")
    if command.arguments[1] == "show":
        _shown_event(reading, command)
    elif "--json" in command.arguments:
        for row in json_lines(command):
            _event(reading, row)
    else:
        for line in command.text.splitlines():
            told = re.search(_CLI_TIME, line)
            if told and f"block {PLATFORM}" in line and "withdrawn" not in line:
                when = reading.phrases.when(told[1])
                assert when is not None
                reading.check(line, truth.first_seen(when))
            if line.startswith("No events"):
                reading.check(line, truth.none_detected(0, truth.seconds))
    return reading


def _shown_event(reading: Reading, command: Command) -> None:
    if f"block {PLATFORM}" not in command.text or "withdrawn by" in command.text:
        return
    for line in command.text.splitlines():
        times = [reading.phrases.when(f"{one}") for one in re.findall(_CLI_TIME, line)]
        name = line.split()[0] if line.startswith("  ") and line.split() else ""
        if name == "began" and times:
            first = times[0].earliest if len(times) > 1 and times[0] else None
            last = times[-1].latest if times[-1] else None
            reading.check(line, reading.truth.since(When(first, last)))
        elif name == "ended" and len(times) > 1:
            assert times[0] is not None and times[1] is not None
            told = When(times[0].earliest, times[1].latest)
            reading.check(line, reading.truth.until(told))
        elif name == "ended" and line.endswith(" not"):
            reading.check(line, reading.truth.going_on())
        elif name == "networks":
            reading.line(line)


def _events(truth: Truth, said: Surfaces) -> Reading:
    reading = Reading(truth, "API and CSV of events")
    for answer in said.answers:
        if answer.path.endswith("/events"):
            for row in answer.body["data"]:
                _event(reading, row)
    for row in said.tables["events"]:
        _event(reading, {name: value or None for name, value in row.items()})
    return reading


def _event(reading: Reading, row: Mapping[str, Any]) -> None:
    """An event as data: its last stretch, and that it goes on."""
    if row["kind"] != "block" or row["state"] == "withdrawn":
        return
    truth, told = reading.truth, _told(row)
    if row["platform"] != PLATFORM:
        reading.check(told, "that platform was never blocked")
        return
    onset = bounds(moment(row["onset_earliest"]), moment(row["onset_latest"]))
    reading.check(told, truth.since(onset, first=True))
    active = row["state"] in ("suspected", "confirmed", "recovering", "unobserved")
    if row["state"] == "confirmed":
        reading.check(told, truth.is_blocked())
    earliest, latest = moment(row["end_earliest"]), moment(row["end_latest"])
    if not active and earliest is not None:
        reading.check(told, truth.until(bounds(earliest, latest)))
    for stretch in row.get("stretches") or ():
        since = bounds(moment(stretch["onset_earliest"]), moment(stretch["onset_latest"]))
        over = stretch.get("end_earliest")
        until = bounds(moment(over), moment(stretch["end_latest"])) if over else None
        reading.check(f"{told} {stretch}", truth.a_stretch(since, until))
    if int(row.get("reopened") or 0) and not row.get("stretches"):
        reading.check(told, "it was open between two stretches, which it does not tell")


def _told(row: Mapping[str, Any]) -> str:
    names = ("state", "onset_earliest", "onset_latest", "end_earliest", "end_latest", "reopened")
    return " ".join(f"{name}={row.get(name)}" for name in names)


def _availability(truth: Truth, said: Surfaces) -> Reading:
    """Each hour's numbers of verdicts, network by network."""
    reading = Reading(truth, "CSV of availability")
    for row in said.tables.get("availability", ()):
        if row["platform"] != PLATFORM or row["period"] != "hour" or not row["asn"]:
            continue
        begin = moment(row["starts_at"])
        assert begin is not None
        hour = [
            one
            for one in truth.cycles[int(row["asn"])]
            if one.measured and begin <= truth.world.wall(one.seconds) < begin + timedelta(hours=1)
        ]
        either = sum(one.seen is Seen.EITHER for one in hour)
        told = " ".join(
            f"{name}={row[name]}" for name in ("starts_at", "asn", "ok", "blocked", "insufficient")
        )
        for name, seen in (
            ("ok", Seen.OPEN),
            ("blocked", Seen.BLOCKED),
            ("insufficient", Seen.UNDECIDED),
        ):
            sure = sum(one.seen is seen for one in hour)
            right = sure <= int(row[name]) <= sure + either
            reading.check(told, "" if right else f"{sure} to {sure + either} were {seen}")
    return reading


def _metrics(truth: Truth, said: Surfaces) -> Reading:
    reading = Reading(truth, "metrics")
    for labels, value in said.samples.get("shutwatch_blocking_event_state", ()):
        if value != 1:
            continue
        told = " ".join(f"{name}={text}" for name, text in labels.items())
        if labels["platform"] != PLATFORM:
            reading.check(told, "that platform was never blocked")
            continue
        if labels["state"] == "confirmed":
            reading.check(told, truth.is_blocked())
        first = reading.phrases.when(labels["onset_earliest"].removesuffix(" UTC"))
        last = reading.phrases.when(labels["onset_latest"].removesuffix(" UTC"))
        assert last is not None
        when = When(first.earliest if first else None, last.latest)
        reading.check(told, truth.since(when))
    for labels, value in said.samples.get("shutwatch_blocking_event_onset_timestamp_seconds", ()):
        at = datetime.fromtimestamp(value, tz=START.tzinfo)
        told = f"onset_timestamp{labels} {at}"
        reading.check(told, truth.first_seen(bounds(at, at)))
    for labels, value in said.samples.get("shutwatch_platform_state", ()):
        asn = int(labels["asn"])
        if value != 1 or labels["platform"] != PLATFORM or asn not in truth.cycles:
            continue
        last = truth.cycles[asn][-1] if truth.cycles[asn] else None
        if last is None or last.seen is Seen.EITHER or truth.seconds - last.seconds > INTERVAL:
            continue
        expected = {"ok": Seen.OPEN, "blocked": Seen.BLOCKED, "insufficient": Seen.UNDECIDED}
        right = expected.get(labels["state"]) is last.seen
        reading.check(f"platform_state{labels}", "" if right else f"the last cycle was {last.seen}")
    return reading
