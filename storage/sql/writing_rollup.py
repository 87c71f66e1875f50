"""How verdicts are added to the counts of their hour and day."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from monitor.analysis.verdict import PlatformVerdict
from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.quarantined import keep_quarantines, quarantine_of
from storage.sql.statements import add_to
from storage.values.rollup import COUNTS, KEY, Period, counted

_DAY_LENGTH = len("2024-02-17")


class RollupWriter:
    """The statements that count, compiled for one database."""

    def __init__(self, backend: Backend) -> None:
        names = (*KEY, *(str(state) for state in COUNTS))
        counts = names[len(KEY) :]
        self._hour = add_to(schema.availability_hour, backend, names, counts)
        self._day = add_to(schema.availability_day, backend, (*names, "hours"), counts)
        hour, day = schema.availability_hour.c, schema.availability_day.c
        seen = (
            select(func.count())
            .where(
                *(hour[name] == day[name] for name in KEY if name != "starts_at"),
                hour.starts_at >= day.starts_at,
                hour.starts_at < func.substr(day.starts_at, 1, _DAY_LENGTH).concat("U"),
            )
            .scalar_subquery()
        )
        larger = func.max if backend.dialect.name == "sqlite" else func.greatest
        # Hours that were pruned since were measured all the same.
        self._hours = (
            update(schema.availability_day)
            .where(*(day[name] == bindparam(f"of_{name}") for name in KEY))
            .values(hours=larger(day.hours, seen))
        )

    def write(self, connection: Connection, verdicts: Sequence[PlatformVerdict]) -> None:
        """Count the verdicts of a scheduled cycle; the caller holds the transaction."""
        if not verdicts:
            return
        keep_quarantines(connection)
        added = list(counted(verdicts, quarantine_of(connection, verdicts[0].vantage)))
        days = [one.row(Period.DAY) for one in added]
        self._hour.run(connection, (one.row(Period.HOUR) for one in added))
        self._day.run(connection, ((*row, 1) for row in days))
        if days:
            keys = [dict(zip((f"of_{name}" for name in KEY), row, strict=False)) for row in days]
            connection.execute(self._hours, keys)
