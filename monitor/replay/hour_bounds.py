"""When a block that counts of days show began or ended, by the counts of their hours.

    the last day against it ─┬─ the first day for it        (and the reverse for an end)
                             └─ the hours of these days: where did failing change?

Days decide, as few people measure in an hour. Hours only narrow what the days leave open: every
moment that explains them nearly as well as the best one stays within the bounds, be it that some
of the lines follow the block days before or after the others.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate

import msgspec

from monitor.replay.imported_row import Row
from monitor.replay.sample_weight import Rate, Sample, likelihood
from monitor.replay.two_sided_test import Call

_AN_HOUR = 2.0
"""Nats that one hour may add: all its rows may be one person's."""
_DOUBT = 6.0
"""Nats by which a moment may explain the hours less well than the best one: three such hours."""
_SMALL = 0.2
"""Share of rows that fail besides the usual ones while a small part of the lines is blocked."""
_ALIKE = 0.25
"""Correlation of the rows of an hour while a platform is blocked."""
_BEFORE = timedelta(seconds=1)
"""Time between the bound and the decision, two verdicts."""


def by_hours(
    calls: Sequence[Call], named: Sample | None, hours: Sequence[Row], quiet: Rate
) -> tuple[Call, ...]:
    """The calls; the first that begins or ends a block and its bound lie as near to each other as
    these hours, oldest first, allow.

    `named` is the sample by which a block that stands was last told, which bounds its end; `quiet`
    is how often rows fail with nothing blocked.
    """
    bounds = [call.sample for call in calls[:1] if not call.decides]
    decision, *rest = calls[len(bounds) :] or (None,)
    bound = bounds[0] if bounds else named
    if decision is None or bound is None or decision.blocked is (named is not None):
        return tuple(calls)
    first = bisect_left(hours, bound.at, key=lambda row: row.at)
    after = bisect_right(hours, decision.sample.until, key=lambda row: row.until)
    between, begins = hours[first:after], decision.blocked
    bad = decision.sample if begins else bound
    large = Rate((bad.failed + 1) / (bad.total + 2), _ALIKE)
    small = Rate(min(quiet.mean + _SMALL, large.mean), _ALIKE)
    earlier, later = (small, large) if begins else (large, small)
    least, _ = _change(between, quiet, earlier, begins=begins)
    _, most = _change(between, quiet, later, begins=begins)
    since = between[least - 1].at if least else bound.at
    until = between[most].until if most < len(between) else decision.sample.until
    # Told with the decision: what the whole day showed may have been told before.
    told = Call(
        blocked=not begins,
        sample=msgspec.structs.replace(bound, at=since),
        called_at=decision.called_at - _BEFORE,
        llr=0.0,
        decides=False,
        stands=True,
        methods=() if begins else bound.methods,
    )
    sample = msgspec.structs.replace(decision.sample, until=until)
    return (told, msgspec.structs.replace(decision, sample=sample), *rest)


def _change(hours: Sequence[Row], quiet: Rate, fails: Rate, *, begins: bool) -> tuple[int, int]:
    """How many of these hours, at least and at most, lie before a block begins, or ends."""
    nats = [_nats(row, quiet, fails) * (-1 if begins else 1) for row in hours]
    worth = list(accumulate(nats, initial=0.0))
    likely = [number for number, one in enumerate(worth) if one >= max(worth) - _DOUBT]
    return likely[0], likely[-1]


def _nats(row: Row, quiet: Rate, fails: Rate) -> float:
    """Of an hour, failing as in a block against failing as usual."""
    found = likelihood(row.failed, row.total, fails) - likelihood(row.failed, row.total, quiet)
    return min(max(found, -_AN_HOUR), _AN_HOUR)
