"""Several kinds of rows as CSV files in one folder, with the dictionary and `datapackage.json`."""

import errno
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from monitor.export.csv import write_csv
from monitor.export.data_package import (
    DataFile,
    described,
    dictionary_columns,
    write_data_package,
)
from monitor.export.dictionary import write_dictionary
from monitor.export.kinds import Kind
from storage.store import Store
from storage.values.selection import Selection
from storage.values.times import time_text


async def write_folder(
    store: Store, selection: Selection, kinds: Sequence[Kind], folder: Path
) -> dict[Kind, int]:
    """Write the files; the folder gets its name when all are complete. Returns the rows of each.

    FileExistsError when the folder has something in it; StorageError; OSError.
    """
    counts: dict[Kind, int] = {}
    with _new_folder(folder) as new:
        files = []
        for kind in kinds:
            path = new / f"{kind}.csv"
            with path.open("w", encoding="utf-8", newline="") as out:
                counts[kind] = await write_csv(kind, store, selection, out)
            files.append(DataFile(path=path, rows=counts[kind], columns=described(kind)))
        path = new / "dictionary.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            rows = write_dictionary(out)
        files.append(DataFile(path=path, rows=rows, columns=dictionary_columns()))
        words = [one for one in (selection.country, selection.platform) if one]
        write_data_package(new, files, _title(selection), words)
    return counts


def _title(selection: Selection) -> str:
    """What is selected, in words."""
    since = f" from {time_text(selection.since)}" if selection.since else ""
    until = f" until before {time_text(selection.until)}" if selection.until else ""
    platform = selection.platform or "all platforms"
    return f"{platform} in {selection.country or 'all countries'}{since}{until}"


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(errno.EEXIST, "exists, and is no empty folder", str(folder))
    new = folder.absolute()
    new = new.with_name(f".{new.name[:200]}.{secrets.token_hex(4)}.partial")
    try:
        new.mkdir()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
    try:
        yield new
        new.replace(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
