"""From a sentence in any language back to what it claims: messages are found by their translation,
and times, lengths and numbers are read from what stands in their places.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, lru_cache

import msgspec

from monitor.wording.durations import _UNITS
from monitor.wording.languages import BY_CODE
from monitor.wording.words import Words, words_in
from tests.truth.live import TITLES
from tests.truth.world import COUNTRY, ELSEWHERE
from tests.worlds.build import START

_HOLE = re.compile(r"%\((\w+)\)s")
_INVISIBLE = re.compile("[\ue000\ue001\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DAYS = range(-2, 10)
"""Days after START that a sentence may name."""
_SHORT = r"\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d(?::\d\d)?"
NUMBERS = {"x", "n", "fine"}
"""Names of places that hold a number."""


ONE_OF = {
    "%(x)s of %(n)s networks": "%(x)s of %(n)s network",
    "About %(n)s more were not measured.": "About %(n)s more was not measured.",
    "Blocked in %(n)s stretches, the last from %(when)s.": (
        "Blocked in %(n)s stretch, the last from %(when)s."
    ),
    "%(length)s, in %(n)s stretches": "%(length)s, in %(n)s stretch",
    "%(network)s: blocked in part in %(n)s verdicts.": (
        "%(network)s: blocked in part in %(n)s verdict."
    ),
}
"""The form of one, of messages that have two."""


class When(msgspec.Struct, frozen=True):
    """A moment as a sentence tells it: not before one bound, and before the other."""

    earliest: datetime | None
    latest: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Whether that moment is within."""
        late = self.latest is not None and moment >= self.latest
        return not late and (self.earliest is None or self.earliest <= moment)

    def __str__(self) -> str:
        return f"{self.earliest:%H:%M:%S}" if self.earliest else "…"


class Found(msgspec.Struct, frozen=True):
    """A message that stands in a text."""

    message: str
    holes: dict[str, str]
    """What stands in its places."""


def plain(text: str) -> str:
    """One line without marks of direction."""
    return re.sub(r"\s+", " ", _INVISIBLE.sub("", text)).strip()


class Phrases:
    """The messages of one language, to be found in texts."""

    def __init__(self, code: str) -> None:
        self.words: Words = words_in(BY_CODE[code])

    @lru_cache(maxsize=50_000)  # noqa: B019 # there is one of each language
    def all_of(self, text: str, messages: tuple[str, ...], *, whole: bool) -> tuple[Found, ...]:
        """Where any of these messages stands in a text, or is all of it: most lines come again on
        other pages and of other worlds, and hold no message."""
        here = (message for message in messages if self._piece(message) in text)
        return tuple(found for message in here for found in self.find(text, message, whole=whole))

    def find(self, text: str, message: str, *, whole: bool = False) -> Iterator[Found]:
        """Where a message stands in a text, or is all of it."""
        pattern = self._pattern(message, whole=whole)
        for found in pattern.finditer(text):
            yield Found(message, found.groupdict())

    def is_whole(self, text: str, message: str) -> bool:
        """Whether the text is this message and nothing else."""
        return self._pattern(message, whole=True).search(text) is not None

    def number(self, text: str) -> int:
        """A whole number."""
        return int(re.sub(r"[^\d]", "", text))

    def numbers(self, text: str) -> list[int]:
        """Every whole number that is told."""
        return [self.number(one) for one in re.findall(r"\d[\d.,٬]*", text)]

    def whens(self, text: str) -> list[When]:
        """Every time that is told, in the order of the text."""
        found: list[tuple[int, When]] = []
        taken: list[tuple[int, int]] = []
        for pattern, make in self._times:
            for one in pattern.finditer(text):
                if not any(start < one.end() and one.start() < end for start, end in taken):
                    taken.append(one.span())
                    found.append((one.start(), make(self, one.groupdict())))
        return [when for _, when in sorted(found, key=lambda pair: pair[0])]

    def when(self, text: str) -> When | None:
        """The first time that is told."""
        return next(iter(self.whens(text)), None)

    def lengths(self, text: str) -> list[timedelta]:
        """Every length of time that is told; `2 hours 5 minutes` is one."""
        unit = "|".join(f"(?:{pattern})" for pattern, _ in self._units)
        between = re.escape(self._piece("%(longer)s %(shorter)s"))
        runs = re.finditer(rf"(?:{unit})(?:{between}(?:{unit}))?", text)
        found = []
        for run in runs:
            total = timedelta()
            for pattern, seconds in self._units:
                for one in re.finditer(pattern, run[0]):
                    total += timedelta(seconds=seconds * self.number(one[0]))
            found.append(total)
        return found

    # -- patterns --------------------------------------------------------------------------------

    @cache  # noqa: B019 # there is one of each language
    def _pattern(self, message: str, *, whole: bool) -> re.Pattern[str]:
        text = self._filled(self._shown(message))
        return re.compile(rf"^{text}[.:]?$" if whole else text)

    @cache  # noqa: B019 # there is one of each language
    def _piece(self, message: str) -> str:
        """The longest part of a message that stands in it whatever fills its places."""
        return max(_HOLE.sub("\0", self._shown(message)).split("\0"), key=len)

    def _shown(self, message: str) -> str:
        one = ONE_OF.get(message)
        translated = self.words._translations
        return plain(translated.ngettext(one, message, 2) if one else translated.gettext(message))

    def _filled(self, text: str) -> str:
        """A translated message with a pattern in each of its places."""
        out, at, last = "", 0, None
        for hole in _HOLE.finditer(text):
            out += re.escape(text[at : hole.start()])
            at, name = hole.end(), hole[1]
            out += f"(?P={name})" if f"(?P<{name}>" in out else f"(?P<{name}>{self._place(name)})"
            last = name
        rest = text[at:]
        if last is not None and not rest and self._place(last).endswith("+?"):
            out = f"{out[:-2]})"  # to the end, or as far as it goes
        return out + re.escape(rest)

    def _place(self, name: str) -> str:
        match name:
            case "platform":
                return "|".join(TITLES.values())
            case "country":
                return "|".join(re.escape(self.words.country(c)) for c in (COUNTRY, ELSEWHERE))
            case "vantage":
                return r"[\w-]+"
            case "family":
                return "IPv[46]"
            case _ if name in NUMBERS:
                return r"\d[\d.,٬]*"
            case "all" | "decided" | "networks" | "signs" | "verdicts":
                return r"(?:[^.۔·:]|\.(?=\d))+?"
        return ".+?"

    @cached_property
    def _days(self) -> dict[str, datetime]:
        midnight = START.replace(hour=0, minute=0)
        days = [midnight + timedelta(days=number) for number in _DAYS]
        return {plain(self.words.day(day)): day for day in days}

    @cached_property
    def _units(self) -> list[tuple[str, int]]:
        """Pattern of a length in one unit, and its seconds."""
        found = []
        for name, seconds in _UNITS:
            forms = set()
            for number in (1, 2):
                text = self.words.ngettext(f"%(n)s {name}", f"%(n)s {name}s", number, n="#")
                forms.add(re.escape(plain(text)).replace(r"\#", r"(?:[\d.,٬]+)"))
            # The longer form first, or `minute` would end inside `minutes`.
            either = "|".join(sorted(forms, key=len, reverse=True))
            found.append((either, seconds))
        return found

    @cached_property
    def _times(self) -> list[tuple[re.Pattern[str], Callable[["Phrases", dict[str, str]], When]]]:
        return [
            (self._time("before %(moment)s, the time of the first test"), _before),
            (
                self._time(
                    "before %(moment)s; it was found blocked where there were no earlier results"
                ),
                _before,
            ),
            (self._time("after %(moment)s; nobody saw when"), _after),
            (self._time("between %(earliest)s and %(latest)s UTC on %(day)s"), _same_day),
            (self._time("between %(earliest)s and %(latest)s UTC", dated=True), _two_days),
            (self._time("%(time)s UTC on %(day)s"), _moment),
            (re.compile(rf"(?P<a>{_SHORT})Z? – (?P<b>{_SHORT}|\d\d:\d\d:\d\d)"), _short_span),
            (re.compile(rf"(?P<a>{_SHORT})"), _short),
        ]

    def _time(self, message: str, *, dated: bool = False) -> re.Pattern[str]:
        clock, day = r"\d\d:\d\d(?::\d\d)?", "|".join(map(re.escape, self._days))
        if dated:
            text = plain(str(self.words.gettext("%(day)s, %(time)s")))
            clock = re.escape(text).replace(r"%\(day\)s", f"(?:{day})")
            clock = clock.replace(r"%\(time\)s", r"\d\d:\d\d(?::\d\d)?")
        out = re.escape(plain(str(self.words.gettext(message))))
        local = r"(?: \([^()]*\))?"
        moment = re.escape(plain(str(self.words.gettext("%(time)s UTC on %(day)s"))))
        moment = moment.replace(r"%\(time\)s", r"\d\d:\d\d(?::\d\d)?")
        moment = moment.replace(r"%\(day\)s", f"(?:{day})")
        for name, pattern in (
            ("earliest", clock),
            ("latest", clock),
            ("time", clock),
            ("day", day),
            ("moment", moment + local),
        ):
            out = out.replace(rf"%\({name}\)s", f"(?P<{name}>{pattern})")
        return re.compile(out)

    def read(self, text: str, day: datetime | None = None) -> tuple[datetime, timedelta]:
        """A moment and how exactly it is told."""
        clock = re.search(r"(\d\d):(\d\d)(?::(\d\d))?", text)
        assert clock is not None, text
        if day is None:
            name = next(name for name in self._days if name in text)
            day = self._days[name]
        hour, minute, second = (int(part or 0) for part in clock.groups())
        exact = timedelta(seconds=1) if clock[3] else timedelta(minutes=1)
        return day + timedelta(hours=hour, minutes=minute, seconds=second), exact


def _before(phrases: Phrases, holes: dict[str, str]) -> When:
    moment, exact = phrases.read(holes["moment"])
    return When(None, moment + exact)


def _after(phrases: Phrases, holes: dict[str, str]) -> When:
    return When(phrases.read(holes["moment"])[0], None)


def _same_day(phrases: Phrases, holes: dict[str, str]) -> When:
    day = phrases._days[holes["day"]]
    latest, exact = phrases.read(holes["latest"], day)
    return When(phrases.read(holes["earliest"], day)[0], latest + exact)


def _two_days(phrases: Phrases, holes: dict[str, str]) -> When:
    latest, exact = phrases.read(holes["latest"])
    return When(phrases.read(holes["earliest"])[0], latest + exact)


def _moment(phrases: Phrases, holes: dict[str, str]) -> When:
    moment, exact = phrases.read(holes["time"], phrases._days[holes["day"]])
    return When(moment, moment + exact)


def _of_short(text: str, day: str = "") -> tuple[datetime, timedelta]:
    text = (text if len(text) > 8 else f"{day} {text}").replace("/", "-")
    exact = timedelta(seconds=1) if text.count(":") == 2 else timedelta(minutes=1)
    return datetime.fromisoformat(text).replace(tzinfo=UTC), exact


def _short_span(_: Phrases, holes: dict[str, str]) -> When:
    latest, exact = _of_short(holes["b"], holes["a"][:10])
    return When(_of_short(holes["a"])[0], latest + exact)


def _short(_: Phrases, holes: dict[str, str]) -> When:
    moment, exact = _of_short(holes["a"])
    return When(moment, moment + exact)


@cache
def phrases_in(code: str) -> Phrases:
    """Those of a language."""
    return Phrases(code)
