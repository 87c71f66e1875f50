"""The assumptions about each kind of stream of imported rows, before its first row."""

from datetime import timedelta
from functools import lru_cache
from math import log

from monitor.replay.imported_row import Row
from monitor.replay.sample_weight import ANY_SHARE, LARGE_SHARE, Model, Rate

UNRELIABLE = frozenset({"messenger"})
"""Platforms whose test fails in a quarter or more of all measurements without a block: it compares
resolved addresses with networks that its owner announced once. They accuse nobody alone."""
_QUIET = {"web_connectivity": 0.03, "messenger": 0.3, "signal": 0.05}
"""Platform or test → share of rows that fail with nothing blocked; 0.02 for the rest."""
_QUIET_OTHERWISE = 0.02
_LISTED_PER_YEAR = 8766.0
"""Samples of a network in a year: one an hour."""
_COUNTED_PER_YEAR = 365.0
_FALSE_CALLS = 0.1
"""False accusations allowed per network and year."""
_FALSE_ENDS = 0.01
"""Chance that one call of *ok* is wrong."""
_REST = Rate(0.1, 0.2)
"""Share of rows that a block of a country still fails beside open lines on which others measure."""


def model_of(row: Row) -> Model:
    """The assumptions about a stream of such rows before its first one."""
    return _model(row.platform, row.test, counts=row.counts, nationwide=row.nationwide)


@lru_cache(1024)  # each row of weeks asks several times, and most rows are of a few kinds
def _model(platform: str, test: str, *, counts: bool, nationwide: bool) -> Model:
    mean = _QUIET.get(platform, _QUIET.get(test, _QUIET_OTHERWISE))
    if counts:
        return Model(
            quiet=Rate(mean, 0.15),
            prior_weight=50.0,
            blocked=LARGE_SHARE,
            partly=ANY_SHARE,
            trouble=Rate(1 / 7, 1 / 8),
            troubled=0.25,
            memory=0.2,
            accuse=log(_COUNTED_PER_YEAR / _FALSE_CALLS),
            clear=-log(_FALSE_ENDS),
            ceiling=0.5 if platform in UNRELIABLE else 0.2,
            unreliable=platform in UNRELIABLE,
            rest=_REST if nationwide and platform not in UNRELIABLE else None,
            most=6.0,
            forget=timedelta(days=21),
        )
    return Model(
        quiet=Rate(mean, 0.3),
        prior_weight=50.0,
        blocked=Rate(0.85, 0.3),
        partly=Rate(0.85, 0.3),
        memory=0.05,
        accuse=log(_LISTED_PER_YEAR / _FALSE_CALLS),
        clear=-log(_FALSE_ENDS),
        ceiling=0.5 if platform in UNRELIABLE else 0.15,
        unreliable=platform in UNRELIABLE,
        forget=timedelta(days=4),
    )
