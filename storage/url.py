"""The setting `database`, as far as it can be told without opening it."""

import re

MEMORY = "memory:"
"""A store that is lost when the process ends."""
SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgresql+psycopg://")
_SQLITE_LIKE = f'"{SQLITE}shutwatch.db"'
_POSTGRESQL_LIKE = '"postgresql://shutwatch:${SHUTWATCH_DATABASE_PASSWORD}@db.example/shutwatch"'

_PORT = re.compile(r":([^\]:]*)$")
"""Behind a host; the address of an IPv6 host is in brackets."""


def checked(written: str) -> str:
    """It itself. ValueError, with what would be right, for what names no database."""
    if written == MEMORY:
        return written
    scheme, separator, rest = written.partition("://")
    if not separator:
        return _refuse(f'"{SQLITE}" and the name of a file: {_SQLITE_LIKE}')
    if written.startswith(_POSTGRESQL):
        place, _, name = rest.partition("?")[0].partition("/")
        if not name:
            return _refuse(f"the name of the database at the end, as in {_POSTGRESQL_LIKE}")
        port = _PORT.search(place.rpartition("@")[2])
        if port is not None and not port[1].isdecimal():
            return _refuse('a number behind the host, as in "db.example:5432"')
        return written
    if scheme != "sqlite":
        return _refuse(f"data is kept in SQLite or PostgreSQL: {_SQLITE_LIKE}, {_POSTGRESQL_LIKE}")
    name = rest.removeprefix("/").partition("?")[0]
    if not rest.startswith("/"):
        return _refuse(
            f"three slashes before the file: {_SQLITE_LIKE}, "
            f'or four for a full path: "{SQLITE}/var/lib/shutwatch/shutwatch.db"'
        )
    if name in ("", ":memory:") or name.endswith("/"):
        return _refuse(f"the name of a file to keep the data in: {_SQLITE_LIKE}")
    return written


def shown(url: str) -> str:
    """What may be read by anybody: without user name, password and options."""
    scheme, separator, rest = url.partition("://")
    place = rest.partition("?")[0]
    return f"{scheme}{separator}{place.rpartition('@')[2]}" if is_postgresql(url) else url


def is_postgresql(url: str) -> bool:
    """Whether it is kept by a server rather than in a file."""
    return url.startswith(_POSTGRESQL)


def file_of(url: str) -> str:
    """The file it is kept in; empty when it is not in a file."""
    return url.removeprefix(SQLITE).partition("?")[0] if url.startswith(SQLITE) else ""


def _refuse(remedy: str) -> str:
    raise ValueError(remedy)
