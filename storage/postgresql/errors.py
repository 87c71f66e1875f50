"""Turns errors of PostgreSQL into advice: the only place that maps them."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Error, InterfaceError, OperationalError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from storage.store import StorageError

_NO_CONNECTION = "cannot be reached: check that PostgreSQL runs, and host and port in `database`"
_UNREACHABLE = (
    f"{_NO_CONNECTION}; what was being written may or may not be stored, and may be saved again"
)
_NOT_LET_IN = "does not let this user in: check user and password in `database`, and pg_hba.conf"
_MISSING = (
    "does not exist: make it, as in `createdb --owner=shutwatch shutwatch`, or name another one in "
    "`database`"
)
_AT_CONNECT = {
    "connection failed": _NO_CONNECTION,
    "connection timeout": _NO_CONNECTION,
    "failed to resolve host": _NO_CONNECTION,
    "[Errno": _NO_CONNECTION,
    "no password supplied": _NOT_LET_IN,
    "password authentication failed": _NOT_LET_IN,
    "authentication failed": _NOT_LET_IN,
    "no pg_hba.conf entry": _NOT_LET_IN,
    "role ": _NOT_LET_IN,
    "database ": _MISSING,
    "remaining connection slots": "takes no more connections: raise max_connections, or run fewer "
    "processes",
    "too many connections": "takes no more connections: raise max_connections, or run fewer "
    "processes",
    "invalid connection option": "cannot be reached: the part of `database` behind the question "
    "mark names an option that libpq does not know",
}
"""Before there is a connection, an error has no code, only text after "FATAL:"."""
_ADVICE = {
    "28": _NOT_LET_IN,
    "3D000": _MISSING,
    "42501": "does not allow this user what is needed: let the user of `database` own it, see "
    "docs/postgres.md",
    "25006": "takes no writes: it is a standby, or was set to be read only; name the primary in "
    "`database`",
    "53100": "cannot grow, the disk is full: free some space; nothing of what was being written "
    "was stored, everything before it was",
    "53200": "is out of memory: give the server more, or lower its settings",
    "53300": "takes no more connections: raise max_connections, or run fewer processes",
    "53": "is short of something: see what PostgreSQL says",
    "55P03": "is locked by another program: end what holds it (see pg_stat_activity), and try "
    "again",
    "40": "was being changed by other writers at the same time, again and again: try again",
    "57014": "cancelled what was asked of it",
    "57P": _UNREACHABLE,
    "08": _UNREACHABLE,
    "58": "cannot be read or written, the disk reports an error: see PostgreSQL's log",
    "XX001": "is damaged: stop everything that writes, keep a copy, and restore a backup",
    "XX002": "is damaged: stop everything that writes, keep a copy, and restore a backup",
    "54": "cannot hold so large a value",
}
"""By SQLSTATE, or its first characters."""
_OTHERWISE = "could not do what was asked"


@contextmanager
def postgresql_errors(name: str, password: str = "") -> Iterator[None]:
    """Raise StorageError, naming the database and what to do, for every error of it.

    `password` is never repeated, whatever the text of the error holds.
    """
    try:
        yield
    except DBAPIError as error:
        raise _translated(name, error.orig, password) from _cause(error, password)
    except Error as error:
        raise _translated(name, error, password) from _cause(error, password)
    except PoolTimeout as error:
        raise StorageError(f"database {name} is busy: no connection came free") from error


def _cause(error: BaseException, password: str) -> BaseException | None:
    return None if password and password in str(error) else error


def _translated(name: str, error: BaseException | None, password: str) -> StorageError:
    said = " ".join(str(error).split())
    if password:
        said = said.replace(password, "…")
    return StorageError(f"database {name} {_advice(error, said)} (PostgreSQL says: {said})")


def _advice(error: BaseException | None, said: str) -> str:
    code = getattr(error, "sqlstate", None)
    if code:
        return next((text for start, text in _ADVICE.items() if code.startswith(start)), _OTHERWISE)
    _, fatal, words = said.partition("FATAL: ")
    message = words.strip() if fatal else said
    lost = isinstance(error, OperationalError | InterfaceError)
    return next(
        (text for start, text in _AT_CONNECT.items() if message.startswith(start)),
        _UNREACHABLE if lost else _OTHERWISE,
    )
