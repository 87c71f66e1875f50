"""Annotations from a CSV file that people write: read whole, or every mistake in it named.

A file is taken as it is or not at all, so a corrected file can be given again.
"""

import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from monitor.config.country_code import country_code
from monitor.config.toml_node import did_you_mean, suggestion
from monitor.config.urls_and_addresses import split_url
from storage.values.reviews import Annotation, AnnotationKind, annotation_id

COLUMNS = ("since", "until", "country", "platform", "kind", "text", "source")
OPTIONAL = ("until", "platform")
"""Columns that a file may lack, and cells that may be empty."""

IGNORED = ("annotation_id", "added_at")
"""Columns that exports have and nobody writes by hand."""

FILE_LIMIT = 10_000_000
"""Bytes of a file."""
_TEXT_LIMIT, _SOURCE_LIMIT = 2000, 2000
"""Characters."""
_DATES = "write 2024-02-08, 2024-02-08T08:00Z or 2024-02-08T13:00+05:00"
_SHOWN = 60
"""Characters of a wrong cell that are repeated."""


class AnnotationsError(Exception):
    """A file that cannot be taken. `problems` holds every reason, in the order of the lines."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class _Row:
    """The cells of one row, and what is wrong with them."""

    def __init__(self, line: int, cells: dict[str, str]) -> None:
        """`line` is the one it begins in, from 1."""
        self.line = line
        self.cells = cells
        self.problems: list[str] = []

    def read(self, column: str, parse: Callable[[str], Any]) -> Any:
        """The cell as `parse` reads it; None after noting the text of its ValueError."""
        cell = self.cells.get(column, "")
        try:
            return parse(cell)
        except ValueError as error:
            place = f"{column} {_shown(cell)}" if cell else f"{column} is empty"
            self.problems.append(f"line {self.line}: {place}: {error}")


def read_annotations(
    data: bytes, platforms: Collection[str], now: datetime
) -> tuple[Annotation, ...]:
    """The annotations in a CSV file; `platforms` are the names it may use, `now` is UTC.

    Raises AnnotationsError with every problem there is.
    """
    rows, problems = _rows(_decoded(data))
    found = [_annotation(row, platforms, now) for row in rows]
    problems += [problem for row in rows for problem in row.problems]
    if problems:
        raise AnnotationsError(problems)
    return tuple(one for one in found if one is not None)


def _decoded(data: bytes) -> str:
    if len(data) > FILE_LIMIT:
        raise AnnotationsError([f"the file is larger than {FILE_LIMIT:,} bytes"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"line {line}: not UTF-8; save the file as CSV in UTF-8"
        raise AnnotationsError([problem]) from error


def _rows(text: str) -> tuple[list[_Row], list[str]]:
    """What stands below the header, and what is wrong with the shape of the file."""
    lines = _lines(text)
    _, header = next(lines, (0, None))
    if header is None:
        raise AnnotationsError([f"the file is empty; {_HEADER}"])
    names = [name.strip().lower() for name in header]
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise AnnotationsError(
            ["line 1: the columns are not apart by commas; save the file as comma-separated CSV"]
        )
    problems = _header_problems(names)
    if problems:
        raise AnnotationsError(problems)
    rows: list[_Row] = []
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(names):
            problems.append(
                f"line {line}: {len(cells)} cells for {len(names)} columns; put text that has a "
                "comma in it in quotation marks"
            )
            continue
        padded = [*cells, *[""] * (len(names) - len(cells))]
        rows.append(_Row(line, {n: c.strip() for n, c in zip(names, padded, strict=True)}))
    return rows, problems


_HEADER = f"its first line names the columns: {','.join(COLUMNS)}"


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Every row with the number of the line it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = 1
    try:
        for cells in reader:
            yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        raise AnnotationsError([f"line {begin}: not CSV ({error}); check the quotes"]) from error


def _header_problems(names: Sequence[str]) -> list[str]:
    problems = []
    for position, name in enumerate(names):
        if name not in (*COLUMNS, *IGNORED):
            hint = did_you_mean(name, COLUMNS) or _HEADER
            problems.append(f"line 1: unknown column {_shown(name)}; {hint}")
        elif name in names[:position]:
            problems.append(f"line 1: column {name} is there twice")
    missing = [name for name in COLUMNS if name not in names and name not in OPTIONAL]
    if missing:
        problems.append(f"line 1: no column {', '.join(missing)}; {_HEADER}")
    return problems


def _annotation(row: _Row, platforms: Collection[str], now: datetime) -> Annotation | None:
    """The annotation in a row; None when something is wrong with it."""

    def end(text: str) -> datetime:
        first, after = _span(text)
        if span is not None and (after or first) <= span[0]:
            raise ValueError("must be later than since")
        return after or first

    def platform(text: str) -> str:
        name = text.lower()
        if name and name not in platforms:
            hint = suggestion(name, platforms)
            raise ValueError(f"no platform of the catalogue; {hint}, or leave it empty")
        return name

    span = row.read("since", _span)
    since: Any = span and span[0]
    until: Any = span and span[1]
    if row.cells.get("until"):
        until = row.read("until", end)
    subject = {
        "country": row.read("country", country_code),
        "platform": row.read("platform", platform),
        "kind": row.read("kind", _kind),
        "text": row.read("text", _text),
        "source": row.read("source", _source),
    }
    if row.problems:
        return None
    identity = annotation_id(since=since, until=until, **subject)
    return Annotation(id=identity, since=since, until=until, added_at=now, **subject)


def _span(text: str) -> tuple[datetime, datetime | None]:
    """The moment in UTC, and for a day without a time its end."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
        day_after = moment + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise ValueError(_DATES) from error
    whole_day = moment.time() == time.min and "T" not in text.upper() and " " not in text
    return moment, day_after if whole_day else None


def _kind(text: str) -> AnnotationKind:
    name = text.lower().replace(" ", "_").replace("-", "_")
    kinds = [kind.value for kind in AnnotationKind]
    if name not in kinds:
        raise ValueError(did_you_mean(name, kinds) or f"one of {', '.join(kinds)}")
    return AnnotationKind(name)


def _text(text: str) -> str:
    if not text:
        raise ValueError("say what happened")
    if len(text) > _TEXT_LIMIT:
        raise ValueError(f"{len(text)} characters, at most {_TEXT_LIMIT} fit")
    return text


def _source(text: str) -> str:
    if len(text) > _SOURCE_LIMIT or split_url(text, ("http", "https")) is None:
        raise ValueError("the URL where this can be read, as in https://example.org/story")
    return text


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
