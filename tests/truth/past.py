"""What strips of the past and the map claim: how often a platform worked, when it failed, and how
much of the time is known.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import product

from monitor.wording.history import _FOUND
from monitor.wording.states import STATES
from monitor.wording.tiles import OK_IN_PART
from tests.truth.live import TITLES
from tests.truth.phrases import plain
from tests.truth.reading import Reading
from tests.truth.surfaces import Mark, Page, Strip
from tests.truth.truth import ANY, CHANGING, WORST_LAST, Range, Truth, state_of
from tests.truth.world import COUNTRY, ELSEWHERE
from tests.worlds.build import START

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPANS = {"compare": (HOUR, 24), "usual": (DAY, 30)}
"""Length of a cell, and how many a strip has: of the last day, or of a month."""
_COUNTED_AS = {"partial": "degraded"}
"""What fails for a part is counted with what fails for some functions."""
_STATES = ("ok", "degraded", "blocked", "insufficient")
"""Those that a world has, as they are counted."""
_MIDNIGHT = START.replace(hour=0, minute=0)
"""A world is over within its day."""
_SHARE = re.compile(r"(\d+(?:[.,٫]\d+)?)\s?[%٪]")
_CLOCK = re.compile(r"\d\d:\d\d")
_REACHABLE = (
    "reachable in %(share)s of decided tests",
    "reachable, wholly or in part, in %(share)s of decided tests",
)


class Tally:
    """The verdicts on a platform of some time, and of how many hours they are."""

    def __init__(self) -> None:
        self.counts = {state: Range() for state in _STATES}
        self.hours = Range()
        """Hours with a verdict, summed over networks."""

    @property
    def decided(self) -> Range:
        """Those that say something."""
        return _sum(self.counts[one] for one in _STATES if one != "insufficient")

    @property
    def works(self) -> Range:
        """Those by which people could use it, wholly or in part."""
        return _sum((self.counts["ok"], self.counts["degraded"]))

    @property
    def known(self) -> tuple[float, float]:
        """The share (0–1) of verdicts that are decided, at least and at most."""
        return _share(self.decided, self.counts["insufficient"])

    def why_not(self, state: str) -> str:
        """Why it is not shown as this state, or nothing: green is what worked each time, red what
        failed at least half of the time."""
        failed, part, decided = self.counts["blocked"], self.counts["degraded"], self.decided
        right = {
            "ok": not failed.least and not part.least,
            "degraded": bool(failed.most or part.most) and 2 * failed.least < decided.most,
            "blocked": 2 * failed.most >= decided.least and bool(failed.most),
        }
        return "" if right.get(state, False) else f"{failed} failed, {part} in part, of {decided}"


def _sum(several: Iterable[Range]) -> Range:
    total = Range()
    for one in several:
        total.least += one.least
        total.most += one.most
    return total


def _share(part: Range, rest: Range) -> tuple[float, float]:
    return (
        part.least / (part.least + rest.most) if part.least else 0.0,
        part.most / (part.most + rest.least) if part.most else 0.0,
    )


def tally(truth: Truth, platform: str, asn: int | None, since: datetime, until: datetime) -> Tally:
    """The verdicts on a platform, of a network or of all, that were judged in that time, by hours:
    a cycle that ends in the next hour may be counted there."""
    found = Tally()
    for number, cycles in truth.cycles.items():
        hours: dict[datetime, bool] = {}
        for one in cycles if asn in (None, number) else ():
            ends = [truth.world.wall(one.seconds + more) for more in (0.0, CHANGING)]
            into = {end.replace(minute=0, second=0, microsecond=0) for end in ends}
            inside = [hour for hour in into if since <= hour < until]
            if not one.measured or not inside:
                continue
            sure = len(inside) == len(into)
            for hour in inside:
                hours[hour] = hours.get(hour, False) or len(into) == 1
            state = state_of(truth.network_of(number), one, platform)
            state = _COUNTED_AS.get(state, state)
            for each in (state,) if state else _STATES:
                found.counts[each].add(sure=sure and bool(state))
        for hour_is_sure in hours.values():
            found.hours.add(sure=hour_is_sure)
    return found


def _covered(
    truth: Truth, platform: str, asn: int | None, cell: timedelta, cells: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The shares (0–1) of the time of a strip that decided verdicts, and any verdicts, cover, each
    at least and at most: of hours, as nothing is counted more finely."""
    at = truth.world.wall(truth.seconds)
    until = _MIDNIGHT + math.ceil((at - _MIDNIGHT) / cell) * cell
    networks = 1 if asn is not None else max(1, len(truth.world.networks))
    known, watched, every = [0.0, 0.0], [0.0, 0.0], 0
    for number in range(cells):
        begins = until - (number + 1) * cell
        hours = math.ceil((min(at, begins + cell) - begins) / HOUR) * networks
        every += hours
        if begins + cell <= START:
            continue
        here = tally(truth, platform, asn, begins, begins + cell)
        for bound, (share, seen) in enumerate(
            zip(here.known, (here.hours.least, here.hours.most), strict=True)
        ):
            watched[bound] += min(hours, seen)
            known[bound] += share * min(hours, seen)
    return (known[0] / every, known[1] / every), (watched[0] / every, watched[1] / every)


# -- strips --------------------------------------------------------------------------------------


def strip(reading: Reading, page: Page, shown: Strip) -> None:
    """One strip: of a platform on the page of a country, or the reverse, or a row of those that are
    compared."""
    folder, _, name = page.name.partition("/")
    titled = [one for one, title in TITLES.items() if title in shown.head]
    platform = name if folder == "platforms" else titled[0]
    truth, elsewhere = reading.truth, plain(str(reading.phrases.words.country(ELSEWHERE)))
    if elsewhere in shown.head:
        truth = Truth.of_nothing(truth.world, truth.seconds)
    found = re.search(r"\(AS(\d+)\)", shown.head)
    asn = int(found[1]) if found else None
    about = f"{shown.head}: "
    whole = tally(truth, platform, asn, _MIDNIGHT, _MIDNIGHT + DAY)
    _reachable(reading, about + shown.said, shown.said, whole)
    (known, watched) = _covered(truth, platform, asn, *SPANS.get(folder, SPANS["usual"]))
    shares = _shares(shown.covered)
    if shares:
        decided, undecided, unwatched = shares
        told = about + shown.covered
        reading.check(told, _within(decided, *known))
        reading.check(told, _within(decided + undecided, *watched))
        reading.check(told, "" if abs(sum(shares) - 1) < 1e-9 else "the shares are not all")
        reading.check(told, _within(1 - unwatched, *watched))
    elif len(said := _shares(shown.said)) > 1:
        reading.check(about + shown.said, _within(said[1], *known))
    for run in shown.runs:
        _run(reading, about, run, tally(truth, platform, asn, *_stretch(run.said)))
    for part in re.split("[;؛]", shown.said):
        for state, message in _FOUND.items():
            if reading.has(part, [message]):
                here = tally(truth, platform, asn, *_stretch(part))
                reading.check(about + part, here.why_not(state))


def _reachable(reading: Reading, sentence: str, said: str, whole: Tally) -> None:
    """How often people could use it, of what was decided."""
    if any(reading.phrases.find(said, "nothing known")):
        decided = whole.decided
        reading.check(sentence, f"{decided} were decided" if decided.least else "")
        return
    reading.check(
        sentence, _within(_shares(said)[0], *_share(whole.works, whole.counts["blocked"]))
    )
    part, in_part = whole.counts["degraded"], reading.has(said, _REACHABLE[1:])
    right = part.most > 0 if in_part else not part.least
    reading.check(sentence, "" if right else f"{part} were so in part")


def _run(reading: Reading, about: str, run: Mark, here: Tally) -> None:
    """A coloured part of a strip, and how many verdicts it says are of which state."""
    told = f"{about}{run.said} ({run.kind})"
    reading.check(told, here.why_not(run.kind))
    counts = counts_in(reading, run.said)
    for state, number in here.counts.items():
        right = number.holds(counts.pop(state, 0))
        reading.check(told, "" if right else f"{number} are {state}")
    reading.check(told, f"none are {' or '.join(counts)}" if counts else "")


def counts_in(reading: Reading, text: str) -> dict[str, int]:
    """State → how many are said to be in it."""
    words, found = reading.phrases.words, dict[str, int]()
    form = re.escape(plain(str(words.gettext("%(state)s %(n)s"))))
    named = {state: plain(str(words.gettext(word))) for state, word in STATES.items()}
    for state, word in sorted(named.items(), key=lambda one: -len(one[1])):
        pattern = form.replace(r"%\(state\)s", re.escape(word)).replace(r"%\(n\)s", r"(\d+)")
        if match := re.search(pattern, text):
            found[str(state)] = int(match[1])
            text = text.replace(match[0], "")
    return found


def _stretch(text: str) -> tuple[datetime, datetime]:
    """`17 Feb 14:00–15:20`, or a day."""
    clocks = [datetime.strptime(one, "%H:%M") for one in _CLOCK.findall(text)]  # noqa: DTZ007
    if len(clocks) < 2:
        return _MIDNIGHT, _MIDNIGHT + DAY
    since, until = (timedelta(hours=one.hour, minutes=one.minute) for one in clocks[:2])
    return _MIDNIGHT + since, _MIDNIGHT + (until if until > since else until + DAY)


def _shares(text: str) -> list[float]:
    """Every share in a text, from 0 to 1."""
    return [float(re.sub("[,٫]", ".", one)) / 100 for one in _SHARE.findall(text)]


def _within(share: float, least: float, most: float) -> str:
    """Why it is not that share, which texts round down to a tenth of a per cent, and to no less
    than that what is not 0."""
    low, high = (
        (math.floor(1000 * bound + tiny) or bound > 1e-9) / 1000
        for bound, tiny in ((least, -1e-6), (most, 1e-6))
    )
    right = low - 1e-9 <= share <= high + 1e-9
    return "" if right else f"it is {100 * least:.2f} to {100 * most:.2f} %"


# -- the map -------------------------------------------------------------------------------------


def tiles(reading: Reading, marks: Iterable[Mark]) -> None:
    """The squares of the map: the country in the worst state of its platforms, as far as decided,
    and those beside it of which nothing is known."""
    here = plain(str(reading.phrases.words.country(COUNTRY)))
    for one in marks:
        told, counts = f"{one.said} ({one.kind})", counts_in(reading, one.said)
        if not one.said.startswith(here):
            nothing = (one.kind, set(counts)) == ("no-data", {"no_data"})
            reading.check(told, "" if nothing else "nobody watches there")
            continue
        able = list(_able(reading.truth))
        shown = one.kind.replace("-", "_"), counts
        if able:
            reading.check(told, "" if shown in able else f"it is {' or '.join(map(str, able))}")
        if any(reading.phrases.find(one.said, "event: %(state)s")):
            known = not reading.truth.was_blocked() or any(
                one.faults for one in reading.truth.world.networks
            )
            reading.check(told, "" if known else "nothing ever happened")


def _able(truth: Truth) -> Iterator[tuple[str, Mapping[str, int]]]:
    """What the map may show of the country: its state, and how many platforms are in each; nothing
    where that is not sure."""
    places = [(asn, platform) for asn in truth.cycles for platform in TITLES]
    states = [truth.states(*place) for place in places]
    if ANY in states or not places:
        return
    for each in product(*states):
        of = {
            platform: [
                state for place, state in zip(places, each, strict=True) if place[1] == platform
            ]
            for platform in TITLES
        }
        worst = {name: max(those, key=WORST_LAST.index) for name, those in of.items()}
        state = max(worst.values(), key=WORST_LAST.index)
        if state == "ok" and set(each) != {"ok"}:
            state = OK_IN_PART
        yield state, dict(Counter(worst.values()))
