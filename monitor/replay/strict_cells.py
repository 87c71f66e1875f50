"""Cells of imported files, read strictly: what is not understood is named, never guessed."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from monitor.replay.imported_row import ReplayError

_TRUE = frozenset({"1", "t", "true", "yes", "1.0"})
_FALSE = frozenset({"0", "f", "false", "no", "0.0", "", "null", "none", "\\n"})
_NOTHING = frozenset({"", "null", "none", "nan", "\\n"})
_COUNTRY = re.compile(r"[A-Za-z]{2}")


class Line:
    """One line of a file or one result of a service, by column."""

    def __init__(self, cells: Mapping[str, str], place: str, spelling: Mapping[str, str]) -> None:
        """`cells` by our name of the column; `spelling` gives the file's own; `place` is
        `file:line`."""
        self._cells = cells
        self.place = place
        self._spelling = spelling

    def wrong(self, column: str, why: str) -> ReplayError:
        """The error to raise for what a column holds."""
        value = self._cells.get(column, "")
        shown = self._spelling.get(column, column)
        return ReplayError(f"{self.place}: column {shown}: {value[:80]!r} {why}")

    def text(self, column: str) -> str:
        """What is there, without blanks around it; empty for null."""
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
        text = self.text(column)
        if not text:
            return 0
        try:
            value = float(text)
        except ValueError:
            raise self.wrong(column, "is no number") from None
        if not math.isfinite(value) or value < 0 or value != int(value):
            raise self.wrong(column, "is no count: a whole number, 0 or more")
        return int(value)

    def share(self, column: str) -> float:
        """A number between 0 and 1; empty is 0."""
        text = self.text(column)
        try:
            value = float(text or 0)
        except ValueError:
            raise self.wrong(column, "is no number") from None
        if not 0 <= value <= 1 + 1e-6:
            raise self.wrong(column, "is no score: a number from 0 to 1")
        return min(value, 1.0)

    def moment(self, column: str) -> datetime:
        """A time; UTC unless it says otherwise."""
        text = self.text(column)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise self.wrong(
                column, "is no time: 2024-02-17, 2024-02-17 18:00:00 or 2024-02-17T18:00:00Z"
            ) from None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    def asn(self, column: str) -> int:
        """An AS number, with or without AS in front; empty is 0."""
        text = self.text(column).upper().removeprefix("AS")
        if not text:
            return 0
        try:
            number = float(text)
        except ValueError:
            raise self.wrong(column, "is no AS number") from None
        if not 0 <= number < 2**32 or number != int(number):
            raise self.wrong(column, "is no AS number")
        return int(number)

    def country(self, column: str) -> str:
        """A country's two letters, upper case; empty when there is none."""
        text = self.text(column)
        if text and not _COUNTRY.fullmatch(text):
            raise self.wrong(column, "is no country: two letters, as in PK")
        return text.upper()
