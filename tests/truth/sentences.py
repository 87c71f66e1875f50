"""What the messages of the catalogue claim: the table from sentences to the truth."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from monitor.wording.events import _UNSURE, CLAIMS, FULL, PARTIAL, SOME, Certainty
from monitor.wording.functions import function_in_words
from tests.truth.coverage import COVERAGE, NEGATIVE
from tests.truth.live import TITLES
from tests.truth.phrases import Found, When, plain
from tests.truth.reading import Claim, Reading
from tests.truth.truth import STATE_OF, Range, state_of
from tests.truth.world import COUNTRY, INTERVAL, PLATFORM, Part

ABOUT_A_BLOCK = (*CLAIMS.values(), *_UNSURE.values())
"""Messages that say that a platform is blocked, or was, or may be."""


def read(reading: Reading, lines: Iterable[str], more: Mapping[str, Claim]) -> None:
    """Lines of a surface, with `more` messages that it has."""
    told = list(lines)
    for line in told:
        reading.read(line, SENTENCES, {**LINES, **more})
    facts(reading, told)


def facts(reading: Reading, lines: Sequence[str]) -> None:
    """Each term is a line, and its value the next one; `Ended` may follow `Began`."""
    for place, (name, value) in enumerate(pairwise(lines), 2):
        following = [*lines[place : place + 2], "", ""]
        ended = reading.whole(following[0], "Ended")
        fact(reading, name, value, reading.phrases.when(following[1]) if ended else None)


def fact(reading: Reading, name: str, value: str, until: When | None = None) -> None:
    """Check one term and its value; `until` is the end that the surface gives beside it."""
    told, when = f"{name}: {value}", reading.phrases.when(value)
    lasts = any(reading.whole(value, message) for message in NOT_ENDED)
    if when is not None and any(reading.whole(name, message) for message in ("Since", "Began")):
        reading.check(told, reading.truth.of_event(when, until))
    if when is not None and not lasts and reading.whole(name, "Ended"):
        reading.check(told, reading.truth.until(when))
    if reading.whole(name, "Lasted"):
        least, most = length(reading, value)
        if least is not None or most is not None:
            reading.check(told, reading.truth.lasted(least or timedelta(), most))
    if reading.whole(name, "Functions"):
        reading.check(told, _functions(reading, value))


def _functions(self: Reading, text: str) -> str:
    """Why one of the functions that are named was never blocked, or nothing."""
    parts = self.truth.world.parts
    if not parts - {Part.MEDIA}:
        web = plain(function_in_words(self.phrases.words, "web"))
        if web in text or not parts:
            return f"blocked were {' and '.join(parts) or 'none'}"
    return ""


def length(reading: Reading, text: str) -> tuple[timedelta | None, timedelta | None]:
    """How long something lasted, at least and at most."""
    for message in LENGTHS:
        for found in reading.phrases.find(text, message):
            told = {name: reading.phrases.lengths(part) for name, part in found.holes.items()}
            least, most = (next(iter(told.get(name, ())), None) for name in ("least", "most"))
            if least is not None or most is not None:
                return least, most
    return None, None


LENGTHS = (
    "at least %(least)s so far",
    "at least %(least)s, at most %(most)s",
    "at least %(least)s",
    "at most %(most)s",
)
"""How long something lasted, the surest form first."""
NOT_ENDED = (
    "not yet at the last test, %(when)s",
    "not yet; blocked when last tested, at %(when)s",
    "not certain yet: it seems open again, and was last blocked at %(when)s",
    "not certain: last blocked at %(when)s, then found open, and no longer tested",
)
"""That something has not ended, with the time of the last test."""


_MANNERS = {Part.ALL: FULL, Part.MEDIA: PARTIAL, Part.IPV6: SOME}
"""In what manner the platform is blocked of which that part is."""


def in_manner(self: Reading, manner: str) -> str:
    """Why it was not blocked in that manner at any time, or nothing."""
    manners = {_MANNERS[part] for part in self.truth.world.parts}
    return "" if manner in manners else f"it was blocked {' and '.join(manners) or 'never'}"


_SURE = (Certainty.IS, Certainty.WAS, Certainty.NO_LONGER)


def _of(certainty: Certainty, manner: str = "") -> Claim:
    # `X may be blocked` stands in `Parts of X may be blocked`.
    longer = [one for (how, of), one in CLAIMS.items() if how is certainty and of != FULL]

    def claim(self: Reading, found: Found, text: str) -> Iterator[str]:
        if manner and not (manner == FULL and self.has(text, longer)):
            yield in_manner(self, manner)
        if self.scope and PLATFORM not in self.scope.platforms:
            yield "that platform was not asked for"
        if found.holes["platform"] != TITLES[PLATFORM]:
            yield "that platform was never blocked"
        elif found.holes["country"] != plain(str(self.phrases.words.country(COUNTRY))):
            yield "nobody watches that country"
        else:
            if certainty in _SURE:
                yield self.truth.can_be_sure()
            match certainty:
                case Certainty.IS:
                    yield self.truth.is_blocked()
                case Certainty.NO_LONGER:
                    yield self.truth.no_longer_blocked()
                case _:
                    yield self.truth.was_blocked()

    return claim


def _on_networks(self: Reading, found: Found, text: str) -> Iterator[str]:
    if self.has(text, ABOUT_A_BLOCK):
        present = (m for (certainty, _), m in CLAIMS.items() if certainty in _PRESENT)
        x, n = (self.phrases.number(found.holes[name]) for name in "xn")
        yield self.truth.networks(x, n, now=self.has(text, present))


_PRESENT = (Certainty.IS, Certainty.MAY)


def _some_connections(_: Reading, __: Found, ___: str) -> Iterator[str]:
    yield "all connections were blocked alike"


def _only_over(self: Reading, found: Found, _: str) -> Iterator[str]:
    if self.truth.parts_seen() - {Part.IPV6}:
        yield "both families were blocked alike"
    elif found.holes["family"] != "IPv6":
        yield "it was blocked over IPv6"


def _functions_line(self: Reading, found: Found, _: str) -> Iterator[str]:
    yield _functions(self, found.holes["names"])


def _on_the_only(self: Reading, _: Found, __: str) -> Iterator[str]:
    if len(self.truth.cycles) != 1:
        yield self.truth.networks(1, 1, now=False)


def _again(self: Reading, _: Found, text: str) -> Iterator[str]:
    present = (m for (certainty, _), m in CLAIMS.items() if certainty in _PRESENT)
    if self.has(text, present):
        yield self.truth.came_back()


def _since(self: Reading, found: Found, text: str) -> Iterator[str]:
    when = self.phrases.when(found.holes["when"])
    if when is not None and self.has(text, ABOUT_A_BLOCK):
        yield self.truth.since(when)


def _since_line(self: Reading, found: Found, _: str) -> Iterator[str]:
    if (when := self.phrases.when(found.holes["when"])) is not None:
        yield self.truth.since(when)


def _until_line(self: Reading, found: Found, _: str) -> Iterator[str]:
    if (when := self.phrases.when(found.holes["when"])) is not None:
        yield self.truth.until(when)


def _first(self: Reading, found: Found, _: str) -> Iterator[str]:
    if (when := self.phrases.when(found.holes["when"])) is not None:
        yield self.truth.since(when, first=True)


def _began(self: Reading, _: Found, text: str) -> Iterator[str]:
    """`Began … . Ended … .`: a stretch of a network on the page, the event in a report, or several
    events, of which the last one tells of the last stretch."""
    began = list(self.phrases.find(text, "Began %(when)s."))
    if not (told := self.phrases.whens(text)):
        return
    when, until = told[0], told[1] if len(told) > 1 else None
    if self.asn is not None:
        yield self.truth.a_stretch(when, until, self.asn)
    elif len(began) == 1:
        yield self.truth.of_event(when, until)
    else:
        whens = [self.phrases.when(one.holes["when"]) for one in began]
        for one in filter(None, whens[:-1]):
            yield self.truth.of_event(one, When(None, None))
        if (last := whens[-1]) is not None:
            yield self.truth.since(last)


def _stretches(self: Reading, found: Found, _: str) -> Iterator[str]:
    yield self.truth.count(self.phrases.number(found.holes["n"]))
    if (when := self.phrases.when(found.holes.get("when", ""))) is not None:
        yield self.truth.since(when)


def _going_on(self: Reading, found: Found, _: str) -> Iterator[str]:
    yield self.truth.going_on()
    if (when := self.phrases.when(found.holes["when"])) is not None:
        yield self.truth.blocked_at(when)


def _seems_over(self: Reading, found: Found, _: str) -> Iterator[str]:
    if (when := self.phrases.when(found.holes["when"])) is not None:
        yield self.truth.blocked_at(when)


def _tested(self: Reading, found: Found, _: str) -> Iterator[str]:
    x, n = (self.phrases.number(found.holes[name]) for name in "xn")
    yield self.truth.networks(x, n, now=False)


def _controls_worked(self: Reading, _: Found, __: str) -> Iterator[str]:
    world, tested = self.truth.world, self.truth.seconds - INTERVAL
    worked = world.controls and not any(one.since < tested for one in world.control_faults)
    yield "" if worked else "no control worked throughout"


def _blocked_in(self: Reading, found: Found, _: str) -> Iterator[str]:
    # What stands before the network's own name may be a sentence about another one.
    named = re.findall(r"\(AS(\d+)\)", found.holes["network"])
    if not named:
        return
    x = self.phrases.number(found.holes["x"])
    yield _cycles_in(self, int(named[-1]), x, {STATE_OF[Part.ALL]})


def _blocked_in_part(self: Reading, found: Found, _: str) -> Iterator[str]:
    named = re.findall(r"\(AS(\d+)\)", found.holes["network"])
    if named:
        n = self.phrases.number(found.holes["n"])
        yield _cycles_in(self, int(named[-1]), n, {STATE_OF[Part.MEDIA], STATE_OF[Part.IPV6]})


def _cycles_in(self: Reading, asn: int, number: int, wanted: Collection[str]) -> str:
    """Why not so many cycles found it in one of these states, or nothing."""
    counted, network = Range(), self.truth.network_of(asn)
    for one in self.truth.cycles[asn]:
        state = state_of(network, one, PLATFORM)
        if one.measured and (not state or state in wanted):
            counted.add(sure=bool(state))
    return "" if counted.holds(number) else f"it was so in {counted} cycles"


def _none_decided(self: Reading, found: Found, _: str) -> Iterator[str]:
    named = re.findall(r"\(AS(\d+)\)", found.holes["network"])
    if named:
        decided = sum(one.decided for one in self.truth.cycles[int(named[-1])])
        yield f"{decided} were decided" if decided else ""


SENTENCES: Mapping[str, Claim] = {
    **{message: _of(certainty, manner) for (certainty, manner), message in CLAIMS.items()},
    **{message: _of(certainty) for certainty, message in _UNSURE.items()},
    "%(what)s on %(x)s of %(n)s networks": _on_networks,
    "%(what)s on the only network tested there": _on_the_only,
    "%(what)s again": _again,
    "only over %(family)s": _only_over,
    "%(share)s of the connections or addresses tested": _some_connections,
    "%(what)s, since %(when)s": _since,
    "%(what)s; blocked from %(when)s": _since,
    "%(since)s; first blocked %(when)s": _first,
    "Began %(when)s.": _began,
    "Blocked in %(n)s stretches, the last from %(when)s.": _stretches,
    "Blocked in at least %(n)s stretches, the last from %(when)s.": _stretches,
    "%(length)s, in %(n)s stretches": _stretches,
    "%(length)s, in at least %(n)s stretches": _stretches,
    "not yet at the last test, %(when)s": _going_on,
    "not yet; blocked when last tested, at %(when)s": _going_on,
    "not certain yet: it seems open again, and was last blocked at %(when)s": _seems_over,
    "not certain: last blocked at %(when)s, then found open, and no longer tested": _seems_over,
    "Networks: %(x)s of %(n)s tested: %(names)s": _tested,
    "The controls themselves worked throughout.": _controls_worked,
    "%(network)s: blocked in %(x)s of %(verdicts)s.": _blocked_in,
    "%(network)s: blocked in %(x)s of %(decided)s that were decided, of %(verdicts)s.": _blocked_in,
    "%(network)s: blocked in part in %(n)s verdicts.": _blocked_in_part,
    "%(network)s: %(verdicts)s, and none was decided.": _none_decided,
    **COVERAGE,
}
"""Messages that claim something, wherever they stand in a sentence. Of those with two forms, the
one of many."""

LINES: Mapping[str, Claim] = dict(NEGATIVE)
"""Those that claim something only where they stand alone."""

MESSAGE_LINES: Mapping[str, Claim] = {
    "Since: %(when)s": _since_line,
    "Until: %(when)s": _until_line,
    "Functions: %(names)s": _functions_line,
}
"""Lines of messages; other surfaces have the same words for other things in some languages."""
