"""Reads cells of imported files strictly: an invalid value is an error, never a guess."""

import math
import re
from collections.abc import Mapping
from datetime import datetime

from monitor.replay.imported_row import ReplayError
from storage.values.times import in_utc

_TRUE = frozenset({"1", "t", "true", "yes", "1.0"})
_FALSE = frozenset({"0", "f", "false", "no", "0.0", "", "null", "none", "\\n"})
_NOTHING = frozenset({"", "null", "none", "nan", "\\n"})
_COUNTRY = re.compile(r"[A-Za-z]{2}")


class Line:
    """One line of a file, or one result of an API, by column."""

    def __init__(self, cells: Mapping[str, str], place: str, spelling: Mapping[str, str]) -> None:
        """`cells` by our name of the column; `spelling` gives the file's names; `place` is
        `file:line`."""
        self._cells = cells
        self.place = place
        self._spelling = spelling

    def wrong(self, column: str, why: str) -> ReplayError:
        """The error for an invalid value of a column."""
        value = self._cells.get(column, "")
        shown = self._spelling.get(column, column)
        return ReplayError(f"{self.place}: column {shown}: {value[:80]!r} {why}")

    def text(self, column: str) -> str:
        """The text without surrounding blanks; empty for null."""
        value = self._cells.get(column, "").strip()
        return "" if value.lower() in _NOTHING else value

    def flag(self, column: str) -> bool:
        """Yes or no; empty is no."""
        value = self._cells.get(column, "").strip().lower()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise self.wrong(column, "is neither yes nor no: 1, 0, true, false, t, f")

    def count(self, column: str) -> int:
        """A whole number, 0 or more; empty is 0."""
        value = self._number(column, "is no number")
        if not math.isfinite(value) or value < 0 or value != int(value):
            raise self.wrong(column, "is no count: a whole number, 0 or more")
        return int(value)

    def share(self, column: str) -> float:
        """A number between 0 and 1; empty is 0."""
        value = self._number(column, "is no number")
        if not 0 <= value <= 1 + 1e-6:
            raise self.wrong(column, "is no score: a number from 0 to 1")
        return min(value, 1.0)

    def _number(self, column: str, why: str, prefix: str = "") -> float:
        try:
            return float(self.text(column).upper().removeprefix(prefix) or 0)
        except ValueError:
            raise self.wrong(column, why) from None

    def moment(self, column: str) -> datetime:
        """A time; UTC unless it says otherwise."""
        text = self.text(column)
        try:
            return in_utc(datetime.fromisoformat(text))
        except ValueError:
            raise self.wrong(
                column,
                "is no time from 1970 to 2199: 2024-02-17, 2024-02-17 18:00:00 or "
                "2024-02-17T18:00:00Z",
            ) from None

    def asn(self, column: str) -> int:
        """An AS number, with or without AS in front; empty is 0."""
        number = self._number(column, "is no AS number", prefix="AS")
        if not 0 <= number < 2**32 or number != int(number):
            raise self.wrong(column, "is no AS number")
        return int(number)

    def country(self, column: str) -> str:
        """A country's two letters, upper case; empty when there is none."""
        text = self.text(column)
        if text and not _COUNTRY.fullmatch(text):
            raise self.wrong(column, "is no country: two letters, as in PK")
        return text.upper()
