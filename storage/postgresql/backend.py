"""Connections to one PostgreSQL database, set up the way a monitor needs them.

Each store has one connection that writes, and a few that read and cannot write. A lost connection
is noticed before it is used, and made again. What is reported as stored is on the server's disk,
unless somebody turned `synchronous_commit` off.

The leader holds an advisory lock of the session that writes, so that a leader without its
connection can write nothing. Both ends notice within 30 seconds that the other is gone: the kernels
by probes on the connection, the server also when a leader's process hangs.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Literal

from psycopg.errors import LockNotAvailable
from psycopg.types.string import StrDumper
from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from storage.postgresql import bulk_write, partitions
from storage.postgresql.bulk_write import NO_NUL
from storage.postgresql.errors import postgresql_errors
from storage.postgresql.tables import describe
from storage.sql.backend import Backend, Staging
from storage.store import InUseError, Recording, StorageError
from storage.url import POSTGRESQL_LIKE
from storage.values.database_size import DatabaseSize
from storage.values.prunable import Prunable

describe()

LOCK_TIMEOUT = 10.0
"""Seconds to wait for another program's lock."""
_PARAMSTYLE: Literal["format"] = "format"
_OLDEST = 14
"""Of the server; `idle_session_timeout` came with it."""

_CLIENT = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "shutwatch",
    # Whatever the environment or the database says.
    "client_encoding": "UTF8",
}
"""How a lost server is noticed (in seconds; `tcp_user_timeout` in milliseconds), and our name and
encoding."""
_SERVER = (
    # How the server notices that we are gone. Without effect on a Unix socket.
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 3",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = 15000",
    "SET idle_in_transaction_session_timeout = '20s'",
    # Queries here are short: compiling them would take longer than running them.
    "SET jit = off",
    "SET TIME ZONE 'UTC'",
)
_SILENCE = "SET idle_session_timeout = '20s'"
"""How long a leader may be silent before the server ends its session, and so its lead."""
_LEAD = 0x73687574_6C656164
"""The advisory lock of the leader; one for each database."""
_ARCHIVING = 0x73687574_61726368
"""The advisory lock of who moves rows to the archive."""
_RECORDING = 0x73687574_72656364
"""The advisory lock of who records, which collectors share."""
_RECORDS_SINCE = """
SELECT min(backend_start) FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE locktype = 'advisory' AND granted AND database = (
  SELECT oid FROM pg_database WHERE datname = current_database()
) AND (classid::bigint << 32 | objid::bigint) = %s
"""
_LEADING = "leading"
_NUL = "\x00"
_MAY_PASS = ("40001", "40P01", "23514")
"""SQLSTATE of transactions that conflicted; the last one when a month was made just as a row for it
went to the partition for other times."""


class _TextDumper(StrDumper):
    """Sends text without U+0000, which the server cannot store."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace(_NUL, NO_NUL) if _NUL in obj else obj)


class PostgresqlBackend(Backend):
    """A store in a PostgreSQL database."""

    def __init__(
        self,
        url: str,
        lock_timeout: float = LOCK_TIMEOUT,
        recording: Recording | None = None,
    ) -> None:
        """`url` as `storage.url.checked` accepts it; `lock_timeout` is how many seconds to wait for
        a lock that another program holds."""
        try:
            parts = make_url(url)
        except (ArgumentError, ValueError):
            raise StorageError(
                f"the database URL cannot be read, it should be like {POSTGRESQL_LIKE}"
            ) from None
        self._url = parts.set(drivername="postgresql+psycopg")
        self._lock_timeout = lock_timeout
        self._recording = recording
        self._password = str(parts.password or "")
        host = parts.host or parts.query.get("host") or "this machine"
        self.name = f"{parts.database} on {host}"
        self.dialect = PGDialect_psycopg(paramstyle=_PARAMSTYLE)  # type: ignore[no-untyped-call]

    def prepare(self, *, create: bool) -> None:
        # Nothing is known before there is a connection.
        del create

    def read_engine(self, size: int) -> Engine:
        return self._engine(size, "SET default_transaction_read_only = on")

    def write_engine(self) -> Engine:
        wait = f"SET lock_timeout = '{int(self._lock_timeout * 1000)}ms'"
        engine = self._engine(1, wait)
        if self._recording is not None:
            event.listen(engine, "connect", self._claim)
        return engine

    def _claim(self, connection: Any, _record: Any) -> None:
        """Have this session record, until it ends: another one has to be told by then. Raises
        InUseError."""
        shared = "" if self._recording is Recording.ALONE else "_shared"
        try:
            # A session that was just closed is still there for a moment.
            connection.execute(f"SELECT pg_advisory_lock{shared}(%s)", (_RECORDING,))
            connection.commit()
        except LockNotAvailable:
            connection.rollback()
            (since,) = connection.execute(_RECORDS_SINCE, (_RECORDING,)).fetchone()
            connection.close()
            named = f" (connected since {since:%Y-%m-%d %H:%M} UTC)" if since else ""
            raise InUseError(
                f"another shutwatch records in database {self.name}{named}: stop it, or set "
                "`database` to another one"
            ) from None
        except BaseException:
            connection.close()
            raise

    def errors(self) -> AbstractContextManager[None]:
        return postgresql_errors(self.name, self._password)

    def may_pass(self, error: DBAPIError) -> bool:
        return getattr(error.orig, "sqlstate", None) in _MAY_PASS

    def insert(self, into: Table) -> Any:
        return postgresql.insert(into)

    def staging(self, into: Table, columns: Sequence[str]) -> Staging:
        return bulk_write.StagingTable(into, columns)

    def partition_column(self, table: str) -> str | None:
        return partitions.TIMES.get(table)

    def ensure_partitions(self, connection: Connection, table: str, times: Collection[str]) -> None:
        partitions.ensure(connection, table, set(map(partitions.month_of, times)))

    def place(self, after: tuple[str, ...]) -> tuple[str, ...]:
        # U+0000 sorts before everything that can follow it there, and so does what replaces it.
        return tuple(f"{part.partition(_NUL)[0]}\x01" if _NUL in part else part for part in after)

    def lead(self, connection: Connection) -> bool:
        # An advisory lock, which ends with the connection.
        info = connection.info
        if not info.get(_LEADING):
            taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LEAD})
            if not taken.scalar_one():
                return False
            # Kept even if this transaction does not commit, as is the lock.
            info[_LEADING] = True
        connection.exec_driver_sql(_SILENCE)
        return True

    def leads(self, connection: Connection) -> bool:
        return bool(connection.info.get(_LEADING))

    def make_partitions_ahead(self, write: Engine) -> None:
        partitions.make_ahead(write)

    def old_partition(self, read: Engine, what: Prunable, before: str) -> tuple[str, int] | None:
        if what not in partitions.TIMES:
            return None
        return partitions.oldest_before(read, what, before)

    def drop_partition(self, write: Engine, what: Prunable, partition: str) -> bool:
        try:
            with write.begin() as connection:
                partitions.drop(connection, what, partition)
        except DBAPIError as error:
            if partitions.is_locked(error):
                return False
            raise
        return True

    def drop_empty_partitions(self, write: Engine, what: Prunable, before: str) -> None:
        if what in partitions.TIMES:
            partitions.drop_empty(write, what, before)

    def size(self, connection: Connection) -> DatabaseSize:
        # Room of deleted rows counts until its month is dropped: the server does not tell it apart.
        size = text("SELECT pg_database_size(current_database())")
        return DatabaseSize(used=int(connection.execute(size).scalar_one()), free=None)

    @contextmanager
    def archiving(self) -> Iterator[bool]:
        engine = self.read_engine(1)
        try:
            with self.errors(), engine.connect() as connection:
                taken = text("SELECT pg_try_advisory_lock(:key)")
                mine = connection.execute(taken, {"key": _ARCHIVING}).scalar_one()
                # The session keeps the lock. In a transaction it would be ended for being idle.
                connection.commit()
                try:
                    yield mine
                finally:
                    # The server notices a closed session later than the next who asks. Where the
                    # connection is lost, so is the lock.
                    with suppress(DBAPIError):
                        connection.execute(text("SELECT pg_advisory_unlock_all()"))
        finally:
            engine.dispose()

    def _engine(self, size: int, also: str) -> Engine:
        engine = create_engine(
            self._url,
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=0,
            pool_pre_ping=True,
            paramstyle=_PARAMSTYLE,
            hide_parameters=True,
            connect_args=dict(_CLIENT),
        )

        def set_up(connection: Any, _record: Any) -> None:
            try:
                if (version := connection.info.server_version // 10_000) < _OLDEST:
                    raise StorageError(
                        f"database {self.name} is of PostgreSQL {version}: {_OLDEST} or later is "
                        "needed"
                    )
                connection.adapters.register_dumper(str, _TextDumper)
                connection.execute("; ".join((*_SERVER, also)))
                connection.commit()
            except BaseException:
                connection.close()
                raise

        event.listen(engine, "connect", set_up)
        event.listen(engine, "rollback", _forget)
        return engine


def _forget(connection: Connection) -> None:
    """What a transaction made is gone when it is rolled back."""
    if not connection.invalidated:
        bulk_write.forget(connection)
        partitions.forget(connection)
