"""The test of a country: several networks that begin to fail at about the same time.

Three volunteers on three networks who fail within hours show a national block long before any of
them shows one alone, and one of them, whatever he uploads, never does: his line may be broken. For
every moment at which a block may have begun, the samples since then are weighed under two models:
nothing is blocked, or a share of the networks, small or large, is. What passed since then counts
against it, so that failures of last week do not date the block of today.

**Several platforms** that begin to fail together, on several networks where others pass, are
blocked together: their evidence adds up. Each of them must fail on two networks itself.
"""

from collections.abc import Callable, Collection, Mapping, Sequence, Sized
from datetime import datetime, timedelta
from math import exp, inf, log

import msgspec

from monitor.replay.fails_everywhere import Subject

KEPT = timedelta(hours=72)
"""Evidence that overlaps in time: older samples are no part of an onset."""
_SHARES = (0.1, 0.3, 0.6, 0.9)
"""Shares of a country's networks that a block may reach, equally likely."""
_ONE_LINE = log(200.0)
"""Nats that one network can add: one line in two hundred is broken at any time."""
_FALSE_CALLS = 0.03
"""False suspicions allowed in a year of one platform in one country."""
_LEAST = 8.0
"""Nats needed however many rows fail, since lines may be broken: two networks alone reach it."""
_BELONGS = log(9.0)
"""Nats from which a network is more likely part of it than broken by itself."""
_ONE_ROW = 3.5
"""Nats that a single row adds."""
_RUN = timedelta(hours=6)
"""Failures of one network this close to each other, with nothing passed in between, are one."""
_SEVERAL = 2
_OWN = 6.0
"""Nats for a block of each of several platforms: two failures on two networks."""
_WHICH = log(4.0)
"""Nats that each of them takes: most platforms are no part of it."""
_SITTINGS = timedelta(hours=1)
"""Failures this far apart are of several sittings; in less time nothing is measured often."""
MOST_TOGETHER = 500
"""Samples of all platforms of a country that are weighed together: where people measure more, those
of fewer hours."""
_CANDIDATES = 40
"""Moments tried: the last ones at which something failed."""


class Shown(msgspec.Struct, frozen=True):
    """What one sample of a network showed."""

    at: datetime
    """UTC."""
    asn: int
    nats: float
    """Blocked against not blocked."""


def common_onset(shown: Sequence[Shown], known: float | None = None) -> list[Shown]:
    """The first failure on each network of a block that several show together, oldest first; none
    without enough evidence.

    `shown` are the samples of one platform in one country, oldest first. `known` are the nats that
    suffice where other platforms show that something began.
    """
    moments = [one.at for one in shown if one.nats > 0][-_CANDIDATES:]
    least, chance = (_LEAST, _by_chance(shown)) if known is None else (known, known)
    tried: list[tuple[float, list[float], list[Shown]]] = []
    by_network: dict[int, float] = {}
    begun: dict[int, Shown] = {}
    for one in reversed(shown):
        by_network[one.asn] = by_network.get(one.asn, 0.0) + one.nats
        if one.nats > 0:
            begun[one.asn] = one
        if one.nats <= 0 or one.at < moments[0]:
            continue
        accusing = [asn for asn, nats in by_network.items() if nats > _BELONGS and asn in begun]
        if len(accusing) >= _SEVERAL:
            # No share of networks that are blocked makes more of them than this.
            most = sum(min(nats, _ONE_LINE) for nats in by_network.values() if nats > 0)
            tried.append((most, list(by_network.values()), [begun[asn] for asn in accusing]))
    if max((most for most, _, _ in tried), default=0.0) < least:
        return []
    found: list[tuple[float, list[Shown]]] = []
    best = 0.0
    for most, networks, firsts in tried:
        if most < least - _ONE_ROW:
            continue
        nats = _weighed(networks, _ONE_LINE)
        found.append((nats, firsts))
        if nats >= least and _weighed(networks, inf) >= chance:
            best = max(best, nats)
    # The latest onset that is nearly as good: a row before it may have failed by chance.
    latest = next((first for nats, first in found if best and nats >= best - _ONE_ROW), [])
    latest = sorted(latest, key=lambda one: one.at)
    return sorted((_unbroken(one, shown) for one in latest), key=lambda one: one.at)


def joint_onset(
    shown: Sequence[tuple[Subject, Shown]], owner: Callable[[str], str]
) -> dict[Subject, list[Shown]]:
    """The first failure on each network of a block of several platforms, for each of these; empty
    without enough evidence.

    `shown` are the samples of all platforms in one country, oldest first, `owner` tells whose a
    platform is.
    """
    if not shown:
        return {}
    span = shown[-1][1].at - shown[0][1].at if len(shown) >= MOST_TOGETHER else KEPT
    chance = _by_chance(shown, span)
    sums: dict[Subject, dict[int, float]] = {}
    begun: dict[tuple[Subject, int], Shown] = {}
    last: dict[tuple[Subject, int], Shown] = {}
    found: list[tuple[float, dict[Subject, list[Shown]]]] = []
    for subject, one in reversed(shown):
        here = sums.setdefault(subject, {})
        here[one.asn] = here.get(one.asn, 0.0) + one.nats
        if one.nats <= 0:
            continue
        begun[subject, one.asn] = one
        last.setdefault((subject, one.asn), one)
        weights = {
            each: nats
            for each, networks in sums.items()
            if sum(nats > _BELONGS for nats in networks.values()) >= _SEVERAL
            and (nats := _weighed(networks.values(), inf)) >= _OWN
        }
        owners = {owner(platform) for platform, _ in weights}
        joint = sum(weights.values()) - _WHICH * len(weights)
        if len(owners) < _SEVERAL or joint < chance:
            continue
        lines = _telling_lines(sums, weights.keys(), owners, owner)
        lines = {asn: nats for asn, nats in lines.items() if _apart(asn, weights, begun, last)}
        if len(lines) < _SEVERAL or _weighed(lines.values(), _ONE_LINE) < _LEAST:
            continue
        firsts = {
            each: [
                begun[each, asn]
                for asn in lines
                if sums[each].get(asn, 0.0) > _BELONGS and (each, asn) in begun
            ]
            for each in weights
        }
        found.append((joint, {each: first for each, first in firsts.items() if first}))
    best = max((joint for joint, _ in found), default=0.0)
    together = next((firsts for joint, firsts in found if joint >= best - _ONE_ROW), {})
    return {each: _dated(each, firsts, shown) for each, firsts in together.items()}


def _dated(
    subject: Subject, firsts: Sequence[Shown], shown: Sequence[tuple[Subject, Shown]]
) -> list[Shown]:
    """The first failures of one of several platforms as it shows them itself: before the others
    began, it may have failed by chance."""
    own = common_onset([one for each, one in shown if each == subject], _OWN)
    lines = {one.asn for one in firsts}
    return [one for one in own if one.asn in lines] or list(firsts)


def _telling_lines(
    sums: Mapping[Subject, Mapping[int, float]],
    failing: Collection[Subject],
    owners: Collection[str],
    owner: Callable[[str], str],
) -> dict[int, float]:
    """Networks where these platforms fail and one of somebody else passes, with their nats."""
    lines: dict[int, float] = {}
    passing: dict[tuple[int, str], float] = {}
    for subject, networks in sums.items():
        whose = owner(subject[0])
        for asn, nats in networks.items():
            if subject in failing:
                lines[asn] = lines.get(asn, 0.0) + nats
            elif whose not in owners:
                passing[asn, whose] = passing.get((asn, whose), 0.0) + nats
    open_there = {asn for (asn, _), nats in passing.items() if nats < -_BELONGS}
    return {asn: nats for asn, nats in lines.items() if nats > _BELONGS and asn in open_there}


def _apart(
    asn: int,
    failing: Collection[Subject],
    begun: Mapping[tuple[Subject, int], Shown],
    last: Mapping[tuple[Subject, int], Shown],
) -> bool:
    """Whether these platforms failed on a network at several sittings: what fails within minutes
    may be a moment of one line."""
    keys = [(subject, asn) for subject in failing if (subject, asn) in begun]
    first = min((begun[key].at for key in keys), default=None)
    return first is not None and max(last[key].at for key in keys) - first >= _SITTINGS


def _unbroken(first: Shown, shown: Sequence[Shown]) -> Shown:
    """The first failure of a row of them on one network that ends with this one."""
    for one in reversed(shown):
        if one.asn != first.asn or one.at >= first.at:
            continue
        if one.nats <= 0 or first.at - one.at > _RUN:
            break
        first = one
    return first


def _by_chance(shown: Sized, span: timedelta = KEPT) -> float:
    """Nats needed against rows that fail by chance: the more often people measure, the more of them
    fail together."""
    a_year = len(shown) * (timedelta(days=365) / max(span, _SITTINGS))
    return log(a_year / _FALSE_CALLS)


def _weighed(networks: Collection[float], most: float) -> float:
    """Nats for a block of an unknown share of networks, from those of each, `most` at most."""
    capped = [min(nats, most) for nats in networks]
    sums = [sum(log(1 - share + share * exp(nats)) for nats in capped) for share in _SHARES]
    high = max(sums)
    return high + log(sum(exp(one - high) for one in sums) / len(_SHARES))
