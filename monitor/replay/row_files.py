"""Reads files of rows: CSV with a header, or JSON from OONI's API; plain or gzip."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import msgspec

from monitor.ooni.ooni_files import unpacked
from monitor.ooni.ooni_format import OoniError
from monitor.replay.formats import RowCounts, RowFilter, RowReader, columns_of, seen_together
from monitor.replay.imported_row import ReplayError, Row
from monitor.replay.intervals import with_ends
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.strict_cells import Line
from monitor.wording.file_errors import file_error

_REFUSED = ("msg", "error", "detail")
"""What holds the reason in an answer without rows."""
_LONGEST = 1 << 20
"""Characters of one cell."""


def rows_in(path: Path, lookup: PlatformLookup, wanted: RowFilter, counts: RowCounts) -> list[Row]:
    """Every selected row of a file, by time. Raises ReplayError naming file, line and column."""
    reader = RowReader(lookup, wanted, counts, any_site=True)
    rows = _read(path, reader)
    if reader.no_site is not None:
        # The platform of the only application test, else that in the file's name.
        words = re.split(r"[^a-z0-9]+", path.name.lower())
        platforms = reader.tested or set(lookup.platforms).intersection(words)
        if len(platforms) != 1:
            raise reader.no_site
        (counts.site,) = platforms
        rows = [
            row if row.platform else msgspec.structs.replace(row, platform=counts.site)
            for row in rows
        ]
    rows = with_ends(seen_together(rows), reader.begins)
    return sorted(rows, key=lambda row: (row.until, row.at, row.uid))


@contextmanager
def text_of(path: Path) -> Iterator[io.TextIOWrapper]:
    """A file's text, unpacked. Raises ReplayError for whatever is wrong with the file as such."""
    try:
        with unpacked(path) as stream:
            yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    except UnicodeDecodeError as error:
        raise ReplayError(f"{path}: not UTF-8 text: {error.reason}") from error
    except OoniError as error:
        raise ReplayError(f"{path}: {error}") from error
    except OSError as error:
        raise ReplayError(file_error(error, path)) from error


def lines_of(text: TextIO) -> tuple[bool, Iterator[str]]:
    """Whether a text is JSON, else it is a table; and its lines."""
    blank, line = 0, text.readline()
    while line.isspace():
        blank, line = blank + 1, text.readline()
    return line.lstrip()[:1] in ("{", "["), itertools.chain(["\n"] * blank, [line], text)


def table_in(lines: Iterable[str], path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place and cells of each row of a table, the header first. Raises ReplayError for one with
    another number of cells: a file that was cut off ends with it."""
    limit = csv.field_size_limit(_LONGEST)
    try:
        blank, lines = 0, iter(lines)
        while (header := next(lines, "")).isspace():
            blank += 1
        sign = next((one for one in ",\t;" if one in header), ",")
        rows = csv.reader(itertools.chain([header], lines), delimiter=sign, strict=True)
        width = 0
        for cells in rows:
            width = width or len(cells)
            place = f"{path}:{blank + rows.line_num}"
            if len(cells) not in (0, width):
                raise ReplayError(f"{place}: {len(cells)} columns where the header has {width}")
            if cells:
                yield place, cells
    except csv.Error as error:
        raise ReplayError(f"{path}:{blank + rows.line_num}: not CSV: {error}") from error
    finally:
        csv.field_size_limit(limit)


def json_in(text: str, place: str) -> Any:
    """Raises ReplayError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ReplayError(f"{place}: not JSON: {error}") from error


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


def _read(path: Path, reader: RowReader) -> list[Row]:
    with text_of(path) as text:
        is_json, lines = lines_of(text)
        if is_json:
            return list(_json_rows("".join(lines), path, reader))
        return list(_csv_rows(table_in(lines, path), path, reader))


def _csv_rows(
    table: Iterator[tuple[str, list[str]]], path: Path, row_reader: RowReader
) -> Iterator[Row]:
    place, header = next(table, (f"{path}:1", []))
    columns = columns_of(header)
    read = row_reader.for_columns(columns, place)
    where = {ours: header.index(theirs) for ours, theirs in columns.items()}
    for place, values in table:
        cells = {ours: values[index] for ours, index in where.items()}
        row = read(Line(cells, place, columns))
        if row is not None:
            yield row


def _json_rows(text: str, path: Path, reader: RowReader) -> Iterator[Row]:
    try:
        document = json_in(text, str(path))
    except ReplayError:
        lines = enumerate(text.split("\n"), 1)
        document = [json_in(line, f"{path}:{number}") for number, line in lines if line.strip()]
    entries = document
    if isinstance(document, dict):
        refused = next((document[key] for key in _REFUSED if document.get(key)), None)
        if refused is not None and not {"result", "results"} & document.keys():
            raise ReplayError(f"{path}: OONI refused: {refused}")
        entries = document.get("results", document.get("result", [document]))
        if isinstance(entries, dict):
            raise ReplayError(
                f"{path}: counts of the whole time as one: ask with axis_x=measurement_start_day"
            )
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ReplayError(f"{path}: neither a list of objects nor an answer of OONI's API")
    return rows_of(entries, str(path), reader)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
