"""Workbooks for people: one sheet with the rows, and one with what every column means.

Texts are the same as in CSV, with apostrophes before formulas, and are written as texts alone:
neither a formula nor a link is made of what others wrote. XlsxWriter is loaded only here.
"""

import asyncio
import importlib
import math
import re
import tempfile
from collections.abc import Sequence
from datetime import datetime
from typing import Any, BinaryIO

from monitor.export.cells import Value, text_cell
from monitor.export.columns import Column
from monitor.export.dictionary import plain
from monitor.export.for_people import LOCAL, Reader, export_for
from monitor.export.kinds import Kind
from monitor.export.parquet import MissingExtraError
from monitor.wording.missing_library import install_command
from storage.store import Store
from storage.values.selection import Selection

MOST_ROWS = 1_048_575
"""Rows that a sheet holds below its header."""
_MOST_CHARACTERS = 32_767
"""Of one cell."""
_MOST_DIGITS = 2**53
"""Larger whole numbers lose digits in a spreadsheet."""
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")
"""They cannot be in XML."""
_TIME = "yyyy-mm-dd hh:mm:ss"
_WIDTHS = {LOCAL: 19, "number": 10, "ms": 10, "bytes": 10, "yes or no": 8}
"""Characters, by unit."""
_WIDTH, _SENTENCE = 18, 60


class TooManyRowsError(Exception):
    """A sheet cannot hold the rows; the message says what can."""


async def write_xlsx(
    kind: Kind,
    store: Store,
    selection: Selection,
    out: BinaryIO,
    *,
    reader: Reader,
    rejudging: str = "",
    most_rows: int = MOST_ROWS,
) -> int:
    """Write the selected rows to `out`; returns how many rows.

    MissingExtraError without XlsxWriter; TooManyRowsError; otherwise as `write_csv`.
    """
    library = _library()
    export = export_for(kind, reader)
    count = 0
    with tempfile.TemporaryDirectory(prefix="shutwatch-") as folder:
        # Rows go to the folder at once, so that memory holds one of them.
        options = {"constant_memory": True, "tmpdir": folder}
        stream = _Stream(out)
        book = library.Workbook(stream, options)
        sheet = _Sheet(book, kind.value, export.columns)
        try:
            async for batch in export.rows(store, selection, rejudging):
                count += len(batch)
                if count > most_rows:
                    raise TooManyRowsError(
                        f"a sheet holds {most_rows} rows, and there are more: select less, or "
                        "write CSV"
                    )
                # In a thread: making cells must not delay other tasks of this process.
                await asyncio.to_thread(sheet.add, [export.prepare(value) for value in batch])
        except BaseException:
            sheet.abandon()
            raise
        sheet.finish()
        _dictionary(book, export.columns)
        try:
            await asyncio.to_thread(book.close)
        except library.exceptions.FileCreateError as error:  # around an OSError
            raise error.args[0] from error
        finally:
            stream.abandon()
    return count


class _Stream:
    """What a workbook is written to: one that could not be writes its end when it is collected."""

    def __init__(self, out: BinaryIO) -> None:
        self._out: BinaryIO | _Nowhere = out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)

    def abandon(self) -> None:
        """Keep what comes from now on from the file, which is closed by then."""
        self._out = _Nowhere()


class _Nowhere:
    """Knows its place, and keeps nothing. A file of `io` may be collected, and closed, before."""

    _at = 0

    def seek(self, at: int) -> None:
        self._at = at

    def tell(self) -> int:
        return self._at

    def write(self, data: bytes) -> None:
        self._at += len(data)

    def flush(self) -> None:
        """Nothing waits."""


class _Sheet:
    """The sheet with the rows."""

    def __init__(self, book: Any, name: str, columns: Sequence[Column[Any]]) -> None:
        self._columns = columns
        self._sheet = book.add_worksheet(name)
        self._time = book.add_format({"num_format": _TIME})
        self._row = 0
        self._sheet.freeze_panes(1, 0)
        for number, column in enumerate(columns):
            width = _SENTENCE if column.name == "sentence" else _WIDTHS.get(column.unit, _WIDTH)
            self._sheet.set_column(number, number, width)
        bold = book.add_format({"bold": True})
        for number, column in enumerate(columns):
            self._sheet.write_string(0, number, column.name, bold)

    def add(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self._row += 1
            for number, column in enumerate(self._columns):
                self._write(number, column.value(row))

    def _write(self, column: int, value: Value) -> None:
        match value:
            case None | "":
                return
            case bool():
                self._sheet.write_boolean(self._row, column, value)
            case datetime():
                shown = value.replace(tzinfo=None)
                self._sheet.write_datetime(self._row, column, shown, self._time)
            case int() | float() if math.isfinite(value) and abs(value) < _MOST_DIGITS:
                self._sheet.write_number(self._row, column, value)
            case _:
                self._sheet.write_string(self._row, column, _text(str(value)))

    def abandon(self) -> None:
        """Close the file of a sheet that is not whole."""
        self._sheet.row_data_fh.close()

    def finish(self) -> None:
        self._sheet.autofilter(0, 0, self._row, len(self._columns) - 1)


def _dictionary(book: Any, columns: Sequence[Column[Any]]) -> None:
    sheet = book.add_worksheet("dictionary")
    sheet.freeze_panes(1, 0)
    for number, width in enumerate((28, 12, 120)):
        sheet.set_column(number, number, width)
    lines = [("column", "unit", "meaning")]
    lines += [(column.name, column.unit, plain(column.meaning)) for column in columns]
    for row, line in enumerate(lines):
        for number, text in enumerate(line):
            sheet.write_string(row, number, _text(text))


def _text(text: str) -> str:
    safe = _NO_CHARACTERS.sub("\ufffd", text_cell(text))
    return safe if len(safe) <= _MOST_CHARACTERS else f"{safe[: _MOST_CHARACTERS - 1]}…"


def _library() -> Any:
    try:
        return importlib.import_module("xlsxwriter")
    except ImportError as error:
        raise MissingExtraError(
            f"XLSX needs XlsxWriter ({error}): {install_command('spreadsheet')}"
        ) from error
