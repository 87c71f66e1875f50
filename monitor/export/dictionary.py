"""The data dictionary: one row for each column of each file."""

import csv
import re
from typing import TextIO

from monitor.export.kinds import Kind, columns

HEADER = ("file", "column", "unit", "meaning")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def plain(meaning: str) -> str:
    """A sentence without Markdown."""
    return _LINK.sub(r"\1", meaning).replace("`", "")


def write_dictionary(out: TextIO) -> int:
    """Write it as CSV, in the order of the files' columns; returns how many rows."""
    found = [
        (kind.value, column.name, column.unit, plain(column.meaning))
        for kind in (
            *(Kind.EVENTS, Kind.STRETCHES, Kind.VERDICTS, Kind.MEASUREMENTS),
            *(Kind.AVAILABILITY, Kind.REVIEWS, Kind.ANNOTATIONS, Kind.WITHHELD),
        )
        for column in columns(kind)
    ]
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows(found)
    return len(found)
