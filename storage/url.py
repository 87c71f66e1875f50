"""The URL of a database: the setting `database`, read without opening it."""

import re
from urllib.parse import unquote

MEMORY = "memory:"
"""A store that is lost when the process ends."""
SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgresql+psycopg://")
_SQLITE_LIKE = f'"{SQLITE}shutwatch.db"'
POSTGRESQL_LIKE = '"postgresql://shutwatch:${SHUTWATCH_DATABASE_PASSWORD}@db.example/shutwatch"'

_PORT = re.compile(r":([^\]:]*)$")
"""Behind a host; the address of an IPv6 host is in brackets."""


def checked(written: str) -> str:
    """The URL itself. ValueError, with what would be right, when it names no database.

    The error does not repeat the URL, which may hold a password.
    """
    if written == MEMORY:
        return written
    scheme, separator, rest = written.partition("://")
    if not separator:
        return _refuse(f'"{SQLITE}" and the name of a file: {_SQLITE_LIKE}')
    if written.startswith(_POSTGRESQL):
        place, _, name = rest.partition("?")[0].partition("/")
        if not name:
            return _refuse(f"the name of the database at the end, as in {POSTGRESQL_LIKE}")
        port = _PORT.search(place.rpartition("@")[2])
        if port is not None and not port[1].isdecimal():
            return _refuse('a number behind the host, as in "db.example:5432"')
        return written
    if scheme != "sqlite":
        return _refuse(f"data is kept in SQLite or PostgreSQL: {_SQLITE_LIKE}, {POSTGRESQL_LIKE}")
    if not rest.startswith("/"):
        return _refuse(
            f"three slashes before the file: {_SQLITE_LIKE}, "
            f'or four for a full path: "{SQLITE}/var/lib/shutwatch/shutwatch.db"'
        )
    name, options, _ = rest[1:].partition("?")
    if name in ("", ":memory:") or name.endswith("/"):
        return _refuse(f"the name of a file to keep the data in: {_SQLITE_LIKE}")
    if options:
        return _refuse(f"the name of a file with nothing after it: {_SQLITE_LIKE}")
    return written


def shown(url: str) -> str:
    """The URL without user name, password and options, so that anybody may read it."""
    scheme, separator, rest = url.partition("://")
    place = rest.partition("?")[0]
    return f"{scheme}{separator}{place.rpartition('@')[2]}" if is_postgresql(url) else url


def is_postgresql(url: str) -> bool:
    """Whether it names a PostgreSQL database."""
    return url.startswith(_POSTGRESQL)


def file_of(url: str) -> str:
    """The file of an SQLite database; empty for any other URL."""
    return unquote(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else ""


def _refuse(remedy: str) -> str:
    raise ValueError(remedy)
