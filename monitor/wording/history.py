"""Phrases for the past of a platform: when it failed, how much of it is known."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from monitor.analysis.verdict import State
from monitor.wording.languages import N_
from monitor.wording.states import STATES
from monitor.wording.words import Words
from storage.values.rollup import COUNTS

SPAN_NAMES: Mapping[str, str] = {
    "day": N_("24 hours"),
    "week": N_("7 days"),
    "month": N_("30 days"),
    "year": N_("a year"),
}
"""How far back a history goes."""

FOUND_IN_PART = N_("failed at times or for a part")
_FOUND: Mapping[str, str] = {
    State.BLOCKED: N_("mostly found blocked"),
    State.THROTTLED: N_("mostly found slowed down"),
    State.DEGRADED: FOUND_IN_PART,
    State.DOWN: N_("found down"),
}


_WHOLLY = N_("reachable in %(share)s of decided tests")
_IN_PART = N_("reachable, wholly or in part, in %(share)s of decided tests")


def known_and_reachable(
    words: Words, reachable: float | None, known: float, *, in_part: bool
) -> str:
    """How much of what was decided people could use it in, and how much of the time that is; both
    are shares from 0 to 1, rounded down. `in_part`, where some of it is so for a part only."""
    said = reachable_in(words, reachable, in_part=in_part)
    if reachable is None:
        return said
    return words.dotted(
        [said, words.gettext("%(share)s of the time known", share=_share(words, _tenths(known)))]
    )


def reachable_in(words: Words, reachable: float | None, *, in_part: bool) -> str:
    """How much of what was decided people could use it in, from 0 to 1. Rounded down: what failed
    once is not reachable always."""
    if reachable is None:
        return words.gettext("nothing known")
    share = _share(words, _tenths(reachable))
    return words.gettext(_IN_PART if in_part else _WHOLLY, share=share)


def covered(words: Words, known: float, watched: float) -> tuple[str, str, str]:
    """How much of the time was decided, undecided and not watched, of the shares (0–1) that decided
    verdicts and any verdicts cover. Together they are 100 %; what is decided is rounded down."""
    decided, any_ = _tenths(known), _tenths(watched)
    return (
        words.gettext("decided %(share)s", share=_share(words, decided)),
        words.gettext("undecided %(share)s", share=_share(words, any_ - decided)),
        words.gettext("not watched %(share)s", share=_share(words, 1000 - any_)),
    )


def _tenths(share: float) -> int:
    """Tenths of a per cent, rounded down. Only none is 0."""
    return math.floor(1000 * share) or int(share > 0)


def _share(words: Words, tenths: int) -> str:
    return words.percent(tenths / 1000, 1 if tenths % 10 else 0)


# A page of histories says the same of many strips.
@lru_cache(maxsize=10_000)
def _number_of(words: Words, state: State, number: int) -> str:
    shown = words.number(number)
    return words.gettext("%(state)s %(n)s", state=words.gettext(STATES[state]), n=shown)


def counted(
    words: Words, since: datetime, until: datetime, counts: tuple[int, ...], *, hours: bool
) -> str:
    """How many verdicts said what in that UTC time, as `17 Feb: blocked 12, ok 3`. `counts` are in
    the order of COUNTS; `hours` as for `stretch`."""
    found = [_number_of(words, state, n) for state, n in zip(COUNTS, counts, strict=True) if n]
    when = stretch(words, since, until, hours=hours)
    return words.gettext("%(when)s: %(what)s", when=when, what=words.listed(found))


def failing(words: Words, told: Sequence[tuple[str, str]], every: int) -> str:
    """What it failed by, and when: `told` are states with their times, of `every` there are."""
    said = [
        words.gettext("%(when)s: %(what)s", when=when, what=words.gettext(_FOUND[state]))
        for state, when in told
    ]
    if more := every - len(told):
        said.append(words.gettext("%(n)s more", n=words.number(more)))
    return words.pause.join(said)


@lru_cache(maxsize=10_000)
def stretch(words: Words, since: datetime, until: datetime, *, hours: bool) -> str:
    """A stretch of UTC time: `17 Feb–20 Feb`, or with `hours` `17 Feb 14:00–20:00`."""
    if not hours:
        first, last = words.short_day(since), words.short_day(until - timedelta(seconds=1))
        return first if first == last else _to(words, first, last)
    first = f"{words.short_day(since)} {words.clock(since)}"
    last = words.clock(until)
    if words.short_day(until) != words.short_day(since):
        last = f"{words.short_day(until)} {last}"
    return _to(words, first, last)


def axis_ends(words: Words, since: datetime, until: datetime) -> list[str]:
    """What an axis of UTC time has where only its ends have room: the moments of a day, the days of
    a longer time, and of half a year or more the day in its middle too."""
    if until - since <= timedelta(days=1):
        return [f"{words.short_day(at)} {words.clock(at)}" for at in (since, until)]
    last = until - timedelta(seconds=1)
    if until - since < timedelta(days=180):
        return [words.short_day(since), words.short_day(last)]
    middle = since + (until - since) / 2
    return [
        words.short_day(since, year=True),
        words.short_day(middle),
        words.short_day(last, year=True),
    ]


def _to(words: Words, first: str, last: str) -> str:
    return words.gettext("%(first)s–%(last)s", first=first, last=last)
