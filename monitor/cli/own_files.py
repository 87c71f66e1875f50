"""Files that an installation lives from, which no command replaces by its output."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.exits import bad_usage
from monitor.keys.keys import ORDERS_KEY_NAME, key_path
from storage import url as database_url

if TYPE_CHECKING:
    from monitor.config.settings import Settings

_SQLITE = b"SQLite format 3\0"
"""How every SQLite database begins."""


def refuse_own_file(output: Path, settings: "Settings | None" = None, *keys: Path) -> None:
    """Exit with 2 where `output` is one of these files of the settings, one of the keys, or any
    SQLite database."""
    for file, what in (*_own(settings), *((key, "a key") for key in keys)):
        if file.resolve() == output.resolve() or _is_same(file, output):
            raise bad_usage(f"{output} is {what} itself: name another file")
    if _is_database(output):
        raise bad_usage(f"{output} is a database: name another file")


def _own(settings: "Settings | None") -> Iterator[tuple[Path, str]]:
    if settings is None:
        return
    database, source = settings.database, settings.source
    if name := database_url.file_of(database):
        yield Path(name), "the database"
        for end in ("-wal", "-shm", "-journal"):
            yield Path(f"{name}{end}"), "part of the database"
    if source:
        yield Path(source), "the configuration"
    yield key_path(settings.signing_key, source, database), "a key"
    yield key_path(settings.collector.orders_key, source, database, ORDERS_KEY_NAME), "a key"
    if settings.collector.certificate_key:
        yield Path(settings.collector.certificate_key), "a key"
    if settings.agent is not None:
        yield Path(source).parent / settings.agent.key, "a key"
        yield Path(source).parent / settings.agent.spool, "the spool"


def _is_same(file: Path, output: Path) -> bool:
    """Whether both are names of one file, as hard links are."""
    return file.exists() and output.exists() and file.samefile(output)


def _is_database(output: Path) -> bool:
    if not output.is_file():  # a FIFO would wait for a writer
        return False
    try:
        with output.open("rb") as begun:
            return begun.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # whoever writes there says what is wrong
