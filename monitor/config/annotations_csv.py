"""Annotations from a CSV file that people write: read whole, or every mistake in it named.

A file is taken as it is or not at all, so that whoever corrects it can give it again.
"""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlsplit

import msgspec

from monitor.config.country_code import country_code
from monitor.config.toml_node import did_you_mean
from storage.values.reviews import Annotation, AnnotationKind, annotation_id

COLUMNS = ("since", "until", "country", "platform", "kind", "text", "source")
OPTIONAL = ("until", "platform")
"""Columns that a file may lack, and cells that may be empty."""

PASSED_OVER = ("annotation_id", "added_at")
"""Columns of exported annotations that say nothing a person would write."""

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


class _WrongError(Exception):
    """One cell is wrong; the message says how it should be."""


class _Row(msgspec.Struct, frozen=True):
    line: int
    """Where it begins, from 1."""
    cells: dict[str, str]


def read_annotations(
    data: bytes, platforms: Collection[str], now: datetime
) -> tuple[Annotation, ...]:
    """The annotations in a CSV file; `platforms` are the names it may use, `now` is UTC.

    Raises AnnotationsError with every problem there is.
    """
    rows, problems = _rows(_decoded(data))
    found: list[Annotation] = []
    for row in rows:
        wrong = _Wrong(row)
        annotation = _annotation(row, wrong, platforms, now)
        problems += wrong.problems
        if annotation is not None:
            found.append(annotation)
    if problems:
        raise AnnotationsError(problems)
    return tuple(found)


def _decoded(data: bytes) -> str:
    if len(data) > FILE_LIMIT:
        raise AnnotationsError([f"the file is larger than {FILE_LIMIT:,} bytes"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise AnnotationsError(
            [f"line {line}: not UTF-8; save the file as CSV in UTF-8"]
        ) from error


def _rows(text: str) -> tuple[list[_Row], list[str]]:
    """What stands below the header, and what is wrong with the shape of the file."""
    lines = _lines(text)
    try:
        _, header = next(lines)
    except StopIteration:
        raise AnnotationsError([f"the file is empty; {_HEADER}"]) from None
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
        if name not in (*COLUMNS, *PASSED_OVER):
            hint = did_you_mean(name, COLUMNS) or _HEADER
            problems.append(f"line 1: unknown column {_shown(name)}; {hint}")
        elif name in names[:position]:
            problems.append(f"line 1: column {name} is there twice")
    missing = [name for name in COLUMNS if name not in names and name not in OPTIONAL]
    if missing:
        problems.append(f"line 1: no column {', '.join(missing)}; {_HEADER}")
    return problems


class _Wrong:
    """Reads the cells of one row, and keeps what is wrong with them."""

    def __init__(self, row: _Row) -> None:
        self._row = row
        self.problems: list[str] = []

    def note(self, column: str, why: str) -> None:
        """Say that this cell is wrong."""
        cell = self._row.cells.get(column, "")
        told = f"{column} {_shown(cell)}" if cell else f"{column} is empty"
        self.problems.append(f"line {self._row.line}: {told}: {why}")


def _annotation(
    row: _Row, wrong: _Wrong, platforms: Collection[str], now: datetime
) -> Annotation | None:
    cells = row.cells
    since, until = _times(cells, wrong)
    country = ""
    try:
        country = country_code(cells["country"])
    except ValueError as error:
        wrong.note("country", str(error))
    platform = cells.get("platform", "").lower()
    if platform and platform not in platforms:
        known = did_you_mean(platform, platforms) or f"one of {', '.join(sorted(platforms))}"
        wrong.note("platform", f"no platform of the catalogue; {known}, or leave it empty")
    kind = _kind(cells["kind"], wrong)
    text = cells["text"]
    if not text:
        wrong.note("text", "say what happened")
    elif len(text) > _TEXT_LIMIT:
        wrong.note("text", f"{len(text)} characters, at most {_TEXT_LIMIT} fit")
    source = cells["source"]
    if not _is_url(source):
        wrong.note("source", "the URL where this can be read, as in https://example.org/story")
    if wrong.problems or since is None or kind is None:
        return None
    return Annotation(
        id=annotation_id(country, since, until, platform, kind, text, source),
        country=country,
        since=since,
        until=until,
        platform=platform,
        kind=kind,
        text=text,
        source=source,
        added_at=now,
    )


def _times(cells: dict[str, str], wrong: _Wrong) -> tuple[datetime | None, datetime | None]:
    since = until = None
    try:
        since, whole_day = _moment(cells["since"])
        if whole_day:
            until = since + timedelta(days=1)
    except _WrongError as error:
        wrong.note("since", str(error))
    if cells.get("until"):
        try:
            until, whole_day = _moment(cells["until"])
            if whole_day:
                until += timedelta(days=1)
        except _WrongError as error:
            wrong.note("until", str(error))
        else:
            if since is not None and until <= since:
                wrong.note("until", "must be later than since")
    return since, until


def _moment(text: str) -> tuple[datetime, bool]:
    """The moment in UTC, and whether the text names a day only."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
        # What follows adds a day.
        moment + timedelta(days=2)
    except (ValueError, OverflowError) as error:
        raise _WrongError(_DATES) from error
    return moment, moment.time() == time.min and "T" not in text.upper() and " " not in text


def _kind(text: str, wrong: _Wrong) -> AnnotationKind | None:
    name = text.lower().replace(" ", "_").replace("-", "_")
    try:
        return AnnotationKind(name)
    except ValueError:
        kinds = [kind.value for kind in AnnotationKind]
        wrong.note("kind", did_you_mean(name, kinds) or f"one of {', '.join(kinds)}")
        return None


def _is_url(text: str) -> bool:
    if len(text) > _SOURCE_LIMIT or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
