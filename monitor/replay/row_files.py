"""Reads files of rows: CSV with a header, or JSON from OONI's API; plain or gzip."""

import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from monitor.ooni.ooni_files import open_unpacked
from monitor.replay.formats import (
    RowCounts,
    RowFilter,
    RowReader,
    UnsaidError,
    columns_of,
    counted_for,
    seen_together,
)
from monitor.replay.imported_row import ReplayError, Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.strict_cells import Line
from monitor.wording.file_errors import file_error

_ZSTD = b"\x28\xb5\x2f\xfd"
_REFUSED = ("msg", "error", "detail")
"""What holds the reason in an answer without rows."""
_LONGEST = 1 << 20
"""Characters of one cell."""


def rows_in(path: Path, lookup: PlatformLookup, wanted: RowFilter, counts: RowCounts) -> list[Row]:
    """Every selected row of a file, by time. Raises ReplayError naming file, line and column."""
    try:
        rows = _read(path, RowReader(lookup, wanted, counts))
    except UnsaidError:
        site = _site_of(path, lookup)
        if not site:
            raise
        counts.site = site
        counts.rows = counts.kept = counts.unknown = counts.silent = 0
        wanted = msgspec.structs.replace(wanted, site=site)
        rows = _read(path, RowReader(lookup, wanted, counts))
    return sorted(counted_for(seen_together(rows)), key=lambda row: (row.until, row.at, row.uid))


def text_in(path: Path) -> str:
    """The whole text of a file, unpacked. Raises ReplayError."""
    with _readable(path), _text_of(path) as text:
        return text.read()


def delimiter_of(header: str) -> str:
    """What stands between the cells of a table."""
    return next((sign for sign in ",\t;" if sign in header), ",")


def _read(path: Path, reader: RowReader) -> list[Row]:
    with _readable(path), _text_of(path) as text:
        first = text.read(1)
        while first.isspace():
            first = text.read(1)
        if first in ("{", "["):
            return list(_json_rows(first + text.read(), path, reader))
        return list(_csv_rows(_csv_lines(first, text), path, reader))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever is wrong with a file as such, as ReplayError."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ReplayError(f"{path}: not UTF-8 text: {error.reason}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ReplayError(f"{path}: a damaged gzip file: {error}") from error
    except OSError as error:
        raise ReplayError(file_error(error, path)) from error


def _site_of(path: Path, lookup: PlatformLookup) -> str:
    """The platform of a file: of its only application test, else in its name."""
    tested: set[str] = set()
    with _text_of(path) as text:
        for cells in csv.reader(text):
            tested |= {subject.platform for cell in cells if (subject := lookup.of_test(cell))}
    words = set(re.split(r"[^a-z0-9]+", path.name.lower()))
    found = tested or words.intersection(lookup.platforms)
    return found.pop() if len(found) == 1 else ""


def rows_of(entries: Iterable[Mapping[str, Any]], place: str, reader: RowReader) -> Iterator[Row]:
    """Rows from an API's results; `place` names them in errors."""
    for number, given in enumerate(entries, 1):
        where = f"{place}: result {number}"
        scores = given.get("loni")
        # What OONI thinks of an interval stands in an object of its own.
        entry = {**given, **scores} if isinstance(scores, dict) else given
        columns = columns_of(entry)
        read = reader.for_columns(columns, where)
        cells = {ours: _text(entry[theirs]) for ours, theirs in columns.items()}
        row = read(Line(cells, where, columns))
        if row is not None:
            yield row


def _text_of(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(_opened(path), encoding="utf-8-sig", newline="")


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as plain:
        packed = plain.read(len(_ZSTD)) == _ZSTD
    if packed:
        raise ReplayError(f"{path}: packed with zstd: unpack it first, `unzstd {path.name}`")
    return open_unpacked(path)


def _csv_lines(first: str, rest: Iterable[str]) -> Iterator[str]:
    lines = iter(rest)
    return itertools.chain([first + next(lines, "")], lines)


def _csv_rows(lines: Iterator[str], path: Path, row_reader: RowReader) -> Iterator[Row]:
    header_line = next(lines)
    limit = csv.field_size_limit(_LONGEST)
    try:
        reader = csv.reader(
            itertools.chain([header_line], lines), delimiter=delimiter_of(header_line), strict=True
        )
        header = next(reader, [])
        columns = columns_of(header)
        read = row_reader.for_columns(columns, f"{path}:1")
        where = {ours: header.index(theirs) for ours, theirs in columns.items()}
        for values in reader:
            if not values:
                continue
            place = f"{path}:{reader.line_num}"
            if len(values) != len(header):
                raise ReplayError(
                    f"{place}: {len(values)} columns where the header has {len(header)}"
                )
            cells = {ours: values[index] for ours, index in where.items()}
            row = read(Line(cells, place, columns))
            if row is not None:
                yield row
    except csv.Error as error:
        raise ReplayError(f"{path}:{reader.line_num}: not CSV: {error}") from error
    finally:
        csv.field_size_limit(limit)


def _json_rows(text: str, path: Path, reader: RowReader) -> Iterator[Row]:
    try:
        document = msgspec.json.decode(text)
        entries = document
        if isinstance(document, dict):
            refused = next((document[key] for key in _REFUSED if document.get(key)), None)
            if refused is not None and not {"result", "results"} & document.keys():
                raise ReplayError(f"{path}: OONI refused: {refused}")
            entries = document.get("results", document.get("result", [document]))
            if isinstance(entries, dict):
                raise ReplayError(
                    f"{path}: counts of the whole time as one: ask with "
                    "axis_x=measurement_start_day"
                )
    except msgspec.DecodeError:
        entries = _json_lines(text, path)
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ReplayError(f"{path}: neither a list of objects nor an answer of OONI's API")
    return rows_of(entries, str(path), reader)


def _json_lines(text: str, path: Path) -> list[Any]:
    entries: list[Any] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entries.append(msgspec.json.decode(line))
        except msgspec.DecodeError as error:
            raise ReplayError(f"{path}:{number}: not JSON: {error}") from error
    return entries


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
