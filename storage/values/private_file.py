"""Files that nobody but their owner may read, whatever the umask."""

import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

PRIVATE = 0o600
_OTHERS = 0o007


def make_private(file: Path) -> None:
    """Make an empty file of mode 0600 if there is none; close one that everybody may read.

    A file that its group alone may read stays as it is: no usual umask makes one, a person did.
    What root makes is the owner's of the folder. Whoever opens it next reports what is wrong, so no
    error is raised here. The file is not opened if it is there: to close it again would drop this
    process's locks on it.
    """
    with suppress(OSError):
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        except FileExistsError:
            _close_to_others(file)
            return
        try:
            give_to_owner(descriptor, file.parent)
        finally:
            os.close(descriptor)


def make_database_private(file: Path) -> None:
    """The same where a link leads, for an SQLite file and its companions, which SQLite makes with
    the file's mode."""
    file = Path(os.path.realpath(file))
    make_private(file)
    for end in ("-wal", "-shm", "-journal"):
        with suppress(OSError):
            _close_to_others(file.with_name(file.name + end))


def is_no_database(file: Path) -> bool:
    """Whether there is a file that is no database: by a mistyped name it may be one that others
    must read. SQLite looks itself, since it keeps this process's locks when it closes the file."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as tried:
            tried.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB"
    return False


def _close_to_others(file: Path) -> None:
    found = file.stat().st_mode
    if stat.S_ISREG(found) and found & _OTHERS:
        file.chmod(PRIVATE)


def write_private(file: Path, content: bytes) -> None:
    """Write a file of mode 0600 that replaces an earlier one at once, and is whole even if the
    machine loses power then. Raises OSError."""
    partial = file.with_name(f"{file.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    with os.fdopen(descriptor, "wb") as out:
        give_to_owner(descriptor, file.parent)
        out.write(content)
        out.flush()
        os.fsync(descriptor)
    partial.replace(file)


def give_to_owner(descriptor: int, folder: Path) -> None:
    """Give an open file in that folder to the folder's owner where root made it. Raises OSError.

    That is a service's user, such as systemd makes up: it could not read root's file.
    """
    if os.geteuid() == 0:
        owner = folder.stat()
        with suppress(OSError):  # some file systems and containers have no other owners
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
