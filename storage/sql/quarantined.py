"""Verdicts of vantages in quarantine count as insufficient.

The counts of hours and days are changed when a quarantine begins, changes or ends, as far as the
verdicts are still in the database. What is counted meanwhile is counted so from the start.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    update,
)

from monitor.analysis.verdict import State
from probes.vantage import VantageRole
from storage.sql import schema
from storage.sql.columns import TEXT
from storage.sql.listing import QUARANTINES
from storage.values.fleet import Quarantine
from storage.values.rollup import COUNTS, KEY, counted_as
from storage.values.times import time_text

_VERDICT = schema.platform_verdict.c
_STARTS = {
    schema.availability_hour: (len("2024-02-17T12"), ":00:00.000000Z"),
    schema.availability_day: (len("2024-02-17"), "T00:00:00.000000Z"),
}
"""How much of a verdict's time the start of its hour or day has, and what comes after that."""


def quarantine_of(connection: Connection, vantage: str) -> Quarantine | None:
    """The quarantine of a vantage, whatever its time."""
    found, _ = QUARANTINES.page(connection, [schema.quarantine.c.vantage == vantage])
    return found[0] if found else None


def counted_state(connection: Connection) -> ColumnElement[str]:
    """The state that a platform verdict counts as, of those in COUNTS."""
    held, _ = QUARANTINES.page(connection)
    covered = or_(*map(_covered, held)) if held else None
    partial = (_VERDICT.state == State.PARTIAL.value, counted_as(State.PARTIAL).value)
    return case(
        *([] if covered is None else [(covered, State.INSUFFICIENT.value)]),
        partial,
        else_=_VERDICT.state,
    )


def in_turn() -> list[ColumnElement[bool]]:
    """Verdicts that are counted: of field vantages, in cycles in turn."""
    cycle = schema.cycle.c
    return [
        _VERDICT.vantage_role == VantageRole.FIELD.value,
        cycle.country == _VERDICT.country,
        cycle.id == _VERDICT.cycle,
        cycle.hurried.is_(False),
    ]


def keep_others_from_counting(connection: Connection) -> None:
    """Until the transaction ends, nobody gets past `keep_quarantines`."""
    _lock(connection, "EXCLUSIVE")


def keep_quarantines(connection: Connection) -> None:
    """Until the transaction ends, no quarantine begins, changes or ends: whoever counts by them
    calls this before reading them."""
    _lock(connection, "ROW SHARE")


def _lock(connection: Connection, mode: str) -> None:
    # On SQLite nobody else writes anyway. Neither mode waits for who only reads: `pg_dump` does so
    # for hours.
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {schema.quarantine.name} IN {mode} MODE")


def count_again(connection: Connection, vantage: str, *, held: bool) -> None:
    """Count what the vantage's quarantine covers, if it has one, as insufficient, or, not `held`,
    by its states."""
    quarantine = quarantine_of(connection, vantage)
    if quarantine is None:
        return
    sign = 1 if held else -1
    for table in _STARTS:
        connection.execute(_moved(table, quarantine, sign))


def _moved(table: Table, quarantine: Quarantine, sign: int) -> Any:
    length, rest = _STARTS[table]
    # As text, so that PostgreSQL finds it among what it groups by.
    start = literal_column(f"substr(judged_at, 1, {length}) || '{rest}'", TEXT).label("starts_at")
    key = [start if name == "starts_at" else _VERDICT[name] for name in KEY]
    decided = [state for state in COUNTS if state is not State.INSUFFICIENT]
    numbers = [
        func.sum(case((_VERDICT.state.in_(_names(state)), 1), else_=0)).label(state)
        for state in decided
    ]
    # It has the last of the countries where the vantage tested. Verdicts have no index by vantage.
    health = schema.latest_health.c
    tested = select(health.country).where(health.vantage == quarantine.vantage)
    where = [*in_turn(), _VERDICT.country.in_(tested), _covered(quarantine)]
    of = select(*key, *numbers).where(*where).group_by(*key).subquery("held").c
    changed = {state.value: table.c[state] - sign * of[state] for state in decided}
    undecided = table.c[State.INSUFFICIENT] + sign * sum(of[state] for state in decided)
    return (
        update(table)
        .where(*(table.c[name] == of[name] for name in KEY))
        .values({**changed, State.INSUFFICIENT.value: undecided})
    )


def _names(state: State) -> list[str]:
    return [one.value for one in State if counted_as(one) is state]


def _covered(quarantine: Quarantine) -> ColumnElement[bool]:
    """Verdicts that a quarantine covers, as `Quarantine.covers` says."""
    where = [_VERDICT.vantage == quarantine.vantage]
    if quarantine.since is not None:
        where.append(_VERDICT.started_at >= time_text(quarantine.since))
    if quarantine.until is not None:
        where.append(_VERDICT.started_at < time_text(quarantine.until))
    return and_(*where)
