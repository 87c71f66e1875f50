"""How long a cycle takes at worst: when every platform is met with silence, on a slow line.

An upper bound from the settings alone, for `shutwatch check`. On a line that answers fast, silence
is tested again with less patience (`probes.measure.line_pace`), so cycles end much sooner.
"""

import msgspec

from monitor.analysis.judge.siblings import full_tests
from monitor.config.settings import Settings
from monitor.measuring.pace import (
    FOLLOW_UPS_PER_CYCLE,
    FOLLOW_UPS_PER_PLATFORM,
    first_and_rest,
    pace_of,
)
from monitor.measuring.pool_members import further_members
from monitor.measuring.references import first_of
from probes.catalog.catalog import Function
from probes.settings import FOLLOW_UP_DEADLINE, VANTAGES_AT_ONCE
from probes.vantage import Profile, VantagePoint, VantageRole

DUE_EARLY = 0.8
"""Share of the interval that a cycle may take, since the next one may come a tenth of it early."""
_PAUSE = 1.5
"""Times its usual length that a pause takes at most."""
_ROUNDS = 3
"""Rounds of all references: while all seems well, when something fails, and after that."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one cycle of one vantage takes at worst."""

    starts: int
    """Measurements, those of controls included."""
    busy: float
    """Seconds that all of the vantage's own take together."""
    chain: float
    """Seconds that the longest row of measurements takes, each of which waits for the one before.
    """


class Worst(msgspec.Struct, frozen=True, kw_only=True):
    """How long cycles take when everything is silent at all vantages at once."""

    seconds: float
    """Of the longest cycle; 0 without field vantages."""
    fits: int
    """Most field vantages of this kind whose cycles end before the next ones are due."""


def worst_case(settings: Settings) -> Worst:
    """For these settings. A quiet vantage spreads its tests by itself, and is left out."""
    field = [
        one
        for one in settings.vantages
        if one.role is VantageRole.FIELD and one.profile is not Profile.QUIET
    ]
    if not field:
        return Worst(seconds=0.0, fits=0)
    heaviest = max((work_of(settings, one) for one in field), key=lambda work: work.starts)
    most, fits = DUE_EARLY * settings.interval, 0
    while fits < len(field) + _ENOUGH and _lasts(settings, heaviest, fits + 1) <= most:
        fits += 1
    return Worst(seconds=_lasts(settings, heaviest, len(field)), fits=fits)


_ENOUGH = 1000
"""More vantages than that in one process are not asked about."""


def _lasts(settings: Settings, work: Work, vantages: int) -> float:
    """Seconds of a cycle while so many vantages do the same work at the same time."""
    share = min(1.0, VANTAGES_AT_ONCE / vantages)
    by_rate = work.starts / (settings.probe.rate * share)
    by_places = work.busy / (settings.probe.concurrency * share)
    return work.chain + max(by_rate, by_places)


def work_of(settings: Settings, vantage: VantagePoint) -> Work:
    """A cycle of this vantage in which every platform is silent."""
    probe, pace = settings.probe, pace_of(vantage, settings.interval)
    silent = max(probe.tcp_timeout, probe.tls_timeout, probe.http_timeout)
    first = full = 0
    for function in _functions(settings):
        for pool in function.pools:
            sample, rest = first_and_rest(pool, pace.sampled(function.sample))
            tested = len(sample) + len(further_members(rest, sample))
            first += tested
            full += min(tested, full_tests(function, pool, tested))
    references = len(first_of(settings.catalog.references_for(vantage.country), ""))
    controls = sum(one.role is VantageRole.CONTROL for one in settings.vantages)
    follow_ups = FOLLOW_UPS_PER_CYCLE + FOLLOW_UPS_PER_PLATFORM * len(settings.catalog.platforms)
    retries = full * probe.retries
    return Work(
        starts=first + retries + full * controls + follow_ups + _ROUNDS * references,
        busy=(first + retries) * silent + follow_ups * FOLLOW_UP_DEADLINE,
        # A pool's further members come after its first ones.
        chain=2 * silent
        + probe.retries * (_PAUSE * probe.retry_pause + silent)
        + silent  # the controls
        + FOLLOW_UP_DEADLINE
        + _ROUNDS * _REFERENCE,
    )


_REFERENCE = 1.0
"""Seconds of one round of references that answer."""


def _functions(settings: Settings) -> list[Function]:
    return [f for platform in settings.catalog.platforms for f in platform.functions]
