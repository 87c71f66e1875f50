"""The data dictionary: one row for each column of each file."""

import csv
import re
from collections.abc import Iterator
from typing import TextIO

from monitor.export.kinds import Kind, columns
from monitor.export.meanings import MEANINGS

HEADER = ("file", "column", "unit", "meaning")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def rows() -> Iterator[tuple[str, str, str, str]]:
    """File, column, unit and meaning, in the order of the files' columns."""
    for kind in (
        *(Kind.EVENTS, Kind.VERDICTS, Kind.MEASUREMENTS, Kind.AVAILABILITY),
        *(Kind.REVIEWS, Kind.ANNOTATIONS),
    ):
        for column in columns(kind):
            yield kind.value, column.name, column.unit, plain(MEANINGS[kind][column.name])


def plain(meaning: str) -> str:
    """A sentence without Markdown."""
    return _LINK.sub(r"\1", meaning).replace("`", "").replace(" (why)", "")


def write_dictionary(out: TextIO) -> int:
    """Write it as CSV; returns how many rows."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    found = list(rows())
    writer.writerows(found)
    return len(found)
