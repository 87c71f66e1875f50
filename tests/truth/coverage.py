"""What statements about how much is known claim, and those that say nothing of it."""

from collections.abc import Iterator, Mapping

from tests.truth.phrases import Found, plain
from tests.truth.reading import Claim, Reading, Scope
from tests.truth.truth import Range, Verdicts
from tests.truth.world import COUNTRY, INTERVAL

_NOW = Scope(now=True)


def _verdicts(self: Reading) -> Verdicts:
    scope = self.scope or _NOW
    return self.truth.verdicts(now=scope.now, platforms=scope.platforms)


def _compared(self: Reading, found: Found, name: str, truth: Range, what: str) -> str:
    number = self.phrases.numbers(found.holes[name])[0]
    return "" if truth.holds(number) else f"{truth} {what}"


def _no_block(self: Reading, found: Found, _: str) -> Iterator[str]:
    """No block in the part that was decided, how large that is, and on how many networks."""
    truth = _verdicts(self)
    yield _compared(self, found, "decided", truth.decided, "are decided")
    yield _compared(self, found, "all", truth.all, "were made")
    yield "" if not truth.signs.least else f"{truth.signs} show a block"
    decided, every = truth.networks_decided, len(self.truth.world.networks)
    networks = found.holes["networks"]
    part = next(self.phrases.find(networks, "%(x)s of %(n)s networks"), None)
    holes = part.holes if part else {"x": networks, "n": networks}
    x, n = (self.phrases.number(holes[name]) for name in "xn")
    right = decided.holds(x) and n <= every
    yield "" if right else f"{decided} of {every} networks are decided"


def _signs(self: Reading, found: Found, _: str) -> Iterator[str]:
    truth = _verdicts(self)
    yield _compared(self, found, "signs", truth.signs, "show a block")
    yield _compared(self, found, "all", truth.all, "were made")


def _not_enough(self: Reading, found: Found, _: str) -> Iterator[str]:
    truth = _verdicts(self)
    yield f"{truth.decided} are decided" if truth.decided.least else ""
    yield _compared(self, found, "all", truth.all, "were made")


def _not_watched(self: Reading, _: Found, __: str) -> Iterator[str]:
    truth = _verdicts(self)
    yield f"{truth.all} were made" if truth.all.least else ""


def _undecided(self: Reading, found: Found, _: str) -> Iterator[str]:
    yield _compared(self, found, "n", _verdicts(self).undecided, "are undecided")


def _nothing_known(self: Reading, found: Found, _: str) -> Iterator[str]:
    if found.holes["country"] == plain(str(self.phrases.words.country(COUNTRY))):
        truth = _verdicts(self)
        yield f"{truth.decided} are decided" if truth.decided.least else ""


def _none_known(self: Reading, _: Found, __: str) -> Iterator[str]:
    yield self.truth.none_known()


def _none_detected(self: Reading, found: Found, _: str) -> Iterator[str]:
    country = found.holes.get("country")
    if country not in (None, plain(str(self.phrases.words.country(COUNTRY)))):
        yield "nobody watches that country"
    else:
        yield self.truth.none_detected(0, self.truth.seconds)


def _no_events(self: Reading, _: Found, text: str) -> Iterator[str]:
    """No events, without what was tested; or none of that state, which is said of events alone."""
    if self.scope and self.scope.state:
        known = map(self.truth.certainly, self.truth.cycles)
        there = self.scope.state == "confirmed" and any(known)
        yield "a block must be confirmed by now" if there else ""
    elif not self.has(text, COVERAGE):
        yield self.truth.none_detected(0, self.truth.seconds)


def _no_results(self: Reading, _: Found, __: str) -> Iterator[str]:
    now = [self.truth.current(asn) for asn in self.truth.cycles]
    decided = any(one is not None and one.decided for one in now)
    yield "a network has decided results" if decided else ""


def _some_without(self: Reading, found: Found, _: str) -> Iterator[str]:
    known = [asn for asn in self.truth.cycles if self.truth.certainly(asn)]
    now = [self.truth.current(asn) for asn in self.truth.cycles]
    without = sum(one is None or not one.decided for one in now)
    if known:
        yield f"blocked on AS{known[0]}"
    else:
        x = self.phrases.number(found.holes["x"])
        yield "" if x == without else f"{without} networks have no decided results"


def _unmeasured(self: Reading, found: Found, _: str) -> Iterator[str]:
    """An hour without a verdict counts as not measured: the number is about right."""
    scope = self.scope or _NOW
    if not scope.now:
        most = (self.truth.unmeasured(scope.since) + 3600 / INTERVAL) * len(scope.platforms)
        number = self.phrases.number(found.holes["n"])
        yield "" if number <= most else f"at most {most} were not"


COVERAGE: Mapping[str, Claim] = {
    "No block in %(decided)s of %(all)s on %(networks)s": _no_block,
    "No block in the %(decided)s that were decided, of %(all)s, on %(networks)s": _no_block,
    "No event of a block, but signs of one in %(signs)s of %(all)s": _signs,
    "Not enough to tell: 0 of %(all)s decided, because %(why)s": _not_enough,
    "Not enough to tell: 0 of %(all)s decided": _not_enough,
    "Not watched in this time": _not_watched,
    "Not watched now: there are no current results": _not_watched,
    "Undecided: %(n)s, because %(why)s.": _undecided,
    "Undecided: %(n)s.": _undecided,
    "About %(n)s more were not measured.": _unmeasured,
    "Nothing is known about %(platform)s in %(country)s": _nothing_known,
    "No block of %(platform)s was detected in %(country)s": _none_detected,
}
"""Statements about what was decided, and one that leaves it out."""

NEGATIVE: Mapping[str, Claim] = {
    "No block detected": _none_known,
    "No block is known here at the moment.": _none_known,
    "No current results: none of your vantage points is working": _no_results,
    "No block detected, but %(x)s of %(n)s field vantages have no results": _some_without,
}
"""Whole lines that say that there is no block, without what was decided."""

EVENTS_PAGE: Mapping[str, Claim] = {"No events in this time.": _no_events, "No events.": _no_events}
"""The same where events are listed; in other places there may be none in part of the time."""
