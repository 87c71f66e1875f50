"""Turns errors of SQLite into advice: the only place that maps them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from storage.store import StorageError, WrongDatabaseError

_ADVICE = {
    "SQLITE_CANTOPEN": "cannot be opened or created: check that the folder exists and that this "
    "user may write in it",
    "SQLITE_READONLY": "is read-only for this user: SQLite must be able to write to the file and "
    "to its folder",
    "SQLITE_PERM": "may not be accessed by this user: check its permissions and its folder's",
    "SQLITE_AUTH": "may not be accessed by this user: check its permissions and its folder's",
    "SQLITE_NOTADB": "is not an SQLite database: set `database` to another file, or move this "
    "one away",
    "SQLITE_CORRUPT": "is damaged: stop shutwatch, keep a copy, and restore a backup or rescue "
    "it with `sqlite3 FILE .recover`",
    "SQLITE_FULL": "cannot grow, the disk is full: free some space; nothing of what was being "
    "written was stored, everything before it was",
    "SQLITE_IOERR": "cannot be read or written, the disk reports an error: check free space, "
    "quotas and the system log",
    "SQLITE_BUSY": "is locked by another program: close what has it open for writing, and try "
    "again",
    "SQLITE_LOCKED": "is locked by another program: close what has it open for writing, and try "
    "again",
    "SQLITE_NOLFS": "is too big for its file system: move it to another disk",
    "SQLITE_TOOBIG": "cannot hold so large a value",
}
_OTHERWISE = "could not do what was asked"


@contextmanager
def storage_errors(file: str) -> Iterator[None]:
    """Raise StorageError, naming `file` and what to do, for every error of the database."""
    try:
        yield
    except DBAPIError as error:
        raise _translated(file, error.orig) from error
    except sqlite3.Error as error:
        raise _translated(file, error) from error


def _translated(file: str, error: BaseException | None) -> StorageError:
    name = getattr(error, "sqlite_errorname", "") or ""
    # Extended codes add a word: SQLITE_CANTOPEN_ISDIR, SQLITE_BUSY_SNAPSHOT.
    advice = next((text for code, text in _ADVICE.items() if name.startswith(code)), _OTHERWISE)
    kind = WrongDatabaseError if name == "SQLITE_NOTADB" else StorageError
    return kind(f"database {file} {advice} (SQLite says: {error})")
