"""How platform verdicts are counted for the coverage of a selection: in a few sums, whatever the
length of its time.

Whole days come from the counts by the day, whole hours at both ends from those by the hour, and the
rest from the verdicts themselves. The causes of undecided verdicts stand in verdicts alone; they
are counted where these are few enough, and as far as they are still stored.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, case, func, select
from sqlalchemy.sql.selectable import FromClause

from monitor.analysis.coverage import Cause, Tally, cause_by_rule
from monitor.analysis.verdict import State
from storage.sql import schema
from storage.sql.listing import of_verdicts
from storage.sql.quarantined import counted_state, in_turn
from storage.values.rollup import COUNTS
from storage.values.selection import Selection
from storage.values.times import time_text

MOST_FOR_CAUSES = 200_000
"""Verdicts of a selection up to which the causes of its undecided ones are counted."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_HOUR_LENGTH = len("2024-02-17T12")
_PLACE = ("country", "platform", "asn", "network")
_VERDICTS = schema.platform_verdict
_UNDECIDED = (State.INSUFFICIENT, State.DOWN)

Place = tuple[str, str, int, str]
"""Country, platform, AS number and network."""
_Bound = datetime | None


def tallies(
    connection: Connection, selection: Selection, most: int = MOST_FOR_CAUSES
) -> list[Tally]:
    """What `Store.tallies` gives."""
    states: dict[Place, Counter[State]] = {}
    hours: Counter[Place] = Counter()
    for query in _queries(selection, counted_state(connection)):
        for row in connection.execute(query):
            country, platform, asn, network, number = row[:5]
            place = (country, platform, int(asn), network)
            found = dict(zip(COUNTS, map(int, row[5:]), strict=True))
            states.setdefault(place, Counter()).update(found)
            hours[place] += int(number)
    few = sum(map(Counter.total, states.values())) <= most
    undecided_by_rule = (
        _causes(connection, selection)
        if few and any(counts[State.INSUFFICIENT] for counts in states.values())
        else {}
    )
    return [
        Tally(
            country=place[0],
            platform=place[1],
            asn=place[2],
            network=place[3],
            states={state: counts[state] for state in COUNTS if state not in _UNDECIDED},
            undecided=_fitted(undecided_by_rule.get(place, Counter()), counts),
            hours=hours[place],
        )
        for place, counts in sorted(states.items())
    ]


def _fitted(causes: Counter[Cause], counts: Mapping[State, int]) -> Mapping[Cause, int]:
    """The causes of all verdicts that decide nothing; of those that are no longer stored it is
    unknown."""
    unknown = counts[State.INSUFFICIENT] - causes.total()
    return +(causes + Counter({Cause.UNKNOWN: unknown, Cause.DOWN: counts[State.DOWN]}))


def _queries(selection: Selection, state: ColumnElement[str]) -> Iterator[Select[Any]]:
    """Sums over verdicts, each of that state, hours and days that do not overlap and cover the
    time."""
    since, until = selection.since, selection.until
    first, last = _up(since, _HOUR), _down(until, _HOUR)
    if first is not None and last is not None and first >= last:
        yield _of_verdicts(selection, since, until, state)
        return
    if since != first:
        yield _of_verdicts(selection, since, first, state)
    if until != last:
        yield _of_verdicts(selection, last, until, state)
    day, end = _up(first, _DAY), _down(last, _DAY)
    if day is not None and end is not None and day >= end:
        yield _of_counts(schema.availability_hour, selection, first, last)
        return
    if first != day:
        yield _of_counts(schema.availability_hour, selection, first, day)
    if last != end:
        yield _of_counts(schema.availability_hour, selection, end, last)
    yield _of_counts(schema.availability_day, selection, day, end)


def _down(moment: _Bound, unit: timedelta) -> _Bound:
    """The start of the hour or day (UTC) that holds a moment."""
    if moment is None:
        return None
    start = moment.replace(minute=0, second=0, microsecond=0)
    return start if unit is _HOUR else start.replace(hour=0)


def _up(moment: _Bound, unit: timedelta) -> _Bound:
    """The first hour or day that starts at a moment or later."""
    start = _down(moment, unit)
    return start if start is None or start == moment else start + unit


def _where(
    table: FromClause, time: ColumnElement[str], selection: Selection, since: _Bound, until: _Bound
) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if selection.country:
        where.append(table.c.country == selection.country)
    if selection.platform:
        where.append(table.c.platform == selection.platform)
    if selection.asn is not None:
        where.append(table.c.asn == selection.asn)
    if since is not None:
        where.append(time >= time_text(since))
    if until is not None:
        where.append(time < time_text(until))
    return where


def _of_counts(table: Table, selection: Selection, since: _Bound, until: _Bound) -> Select[Any]:
    c = table.c
    place = [c[name] for name in _PLACE]
    hours = func.sum(c.hours) if "hours" in c else func.count()
    counts = (func.sum(c[state.value]) for state in COUNTS)
    where = _where(table, c.starts_at, selection, since, until)
    return select(*place, hours, *counts).where(*where).group_by(*place)


def _of_verdicts(
    selection: Selection, since: _Bound, until: _Bound, state: ColumnElement[str]
) -> Select[Any]:
    c = _VERDICTS.c
    place = [c[name] for name in _PLACE]
    hours = func.count(func.substr(c.judged_at, 1, _HOUR_LENGTH).distinct())
    counts = (func.sum(case((state == one.value, 1), else_=0)) for one in COUNTS)
    where = _of_verdicts_in_turn(selection, since, until)
    query = select(*place, hours, *counts).where(*where).group_by(*place)
    return of_verdicts(query, selection, since, until)


def _of_verdicts_in_turn(
    selection: Selection, since: _Bound, until: _Bound
) -> list[ColumnElement[bool]]:
    """Verdicts as the hours and days count them."""
    return [*_where(_VERDICTS, _VERDICTS.c.judged_at, selection, since, until), *in_turn()]


def _causes(connection: Connection, selection: Selection) -> dict[Place, Counter[Cause]]:
    c = _VERDICTS.c
    key = [*(c[name] for name in _PLACE), c.rule_id]
    where = _of_verdicts_in_turn(selection, selection.since, selection.until)
    where.append(c.state == State.INSUFFICIENT.value)
    query: Select[Any] = select(*key, func.count()).where(*where).group_by(*key)
    query = of_verdicts(query, selection, selection.since, selection.until)
    found: dict[Place, Counter[Cause]] = {}
    for country, platform, asn, network, rule, number in connection.execute(query):
        place = (country, platform, int(asn), network)
        found.setdefault(place, Counter())[cause_by_rule(rule)] += int(number)
    return found
