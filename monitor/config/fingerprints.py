"""Fingerprints of block pages, read from shutwatch's own TOML and from other projects' CSV lists.

A CSV list is OONI's or any other with a column for the pattern, such as Citizen Lab's;
docs/fingerprints.md lists the column names. Rows about DNS answers are skipped, since they match no
page, and so are OONI's rows of scope `fp`, which list innocent pages.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from monitor.analysis.judge.fingerprint import Fingerprint, Kind, Scope, Where
from monitor.config.country_code import country_code
from monitor.config.toml_node import (
    Document,
    Invalid,
    Node,
    filled,
    flag,
    listed,
    member,
    parsed,
    read_table,
    text,
)
from monitor.config.toml_problem import ConfigError, Problem
from monitor.config.toml_source import parse_source, refusal

SHIPPED = "fingerprints.toml"
CONFIDENT = 5
"""Lowest `confidence_no_fp` of OONI (1 to 10) that counts as confident."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_LIMIT = 16 * 1024 * 1024
"""Bytes of a file of fingerprints; OONI's has about 100 KB."""
_OONI_SCOPES = {"nat": Scope.COUNTRY, "isp": Scope.ISP, "prod": Scope.VENDOR}
_INNOCENT = "fp"
_OONI_KINDS = {
    "full": Kind.FULL,
    "prefix": Kind.PREFIX,
    "contains": Kind.CONTAINS,
    "regexp": Kind.REGEX,
}
_ID_COLUMNS = ("name", "id", "fingerprint_id")
_PATTERN_COLUMNS = ("pattern", "regex", "fingerprint")
_COUNTRY_COLUMNS = ("expected_countries", "countries", "country_code", "country")


@cache
def shipped_fingerprints() -> tuple[Fingerprint, ...]:
    """The fingerprints that come with shutwatch."""
    content = files("monitor.config").joinpath(SHIPPED).read_text(encoding="utf-8")
    return parse_toml(content, SHIPPED)


def load_fingerprints(path: Path) -> tuple[Fingerprint, ...]:
    """The fingerprints in a `.csv` file, or in TOML of any other name. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
        if len(content) > _LIMIT:
            raise ValueError("is too large")
        decoded = content.decode("utf-8-sig")
    except OSError as error:
        remedy = "name a file of fingerprints, from this file's folder"
        raise refusal(str(path), f"cannot be read: {error.strerror}", remedy) from error
    except ValueError as error:
        remedy = "text in UTF-8, up to 16 MiB"
        raise refusal(str(path), "is not a list of fingerprints", remedy) from error
    parse = parse_csv if path.suffix.lower() == ".csv" else parse_toml
    return parse(decoded, str(path))


def merged(base: Iterable[Fingerprint], more: Iterable[Fingerprint]) -> tuple[Fingerprint, ...]:
    """Both lists; of two fingerprints with the same id the latter."""
    return tuple({one.id: one for one in (*base, *more)}.values())


# -- TOML ----------------------------------------------------------------------------------------


def parse_toml(content: str, file: str) -> tuple[Fingerprint, ...]:
    """Our own format; `file` is its name in problems. Raises ConfigError."""
    document = Document(parse_source(content, file))
    found: tuple[Fingerprint, ...] = ()
    with suppress(Invalid):
        table = read_table(document.root, {"fingerprint": listed(_fingerprint, distinct=False)})
        found = table.get("fingerprint", ())
    document.finish()
    return merged((), found)


def _fingerprint(node: Node) -> Fingerprint:
    """One `[[fingerprint]]`."""
    values: dict[str, Any] = read_table(
        node,
        {
            "id": _id,
            "where": member(Where),
            "header": _header,
            "kind": member(Kind),
            "pattern": filled,
            "scope": member(Scope),
            "countries": listed(parsed(country_code)),
            "confident": flag,
        },
        required={
            "id": 'give it a name: id = "pk-pta"',
            "where": 'say where the words stand: where = "body"',
            "pattern": 'give the words: pattern = "…"',
            "scope": 'say who uses it: scope = "country"',
        },
    )
    one = Fingerprint(**values)
    if (one.where is Where.HEADER) != bool(one.header):
        raise node.fail('where = "header" and header = "its-name" go together')
    if one.kind is Kind.HOST and one.where is not Where.LOCATION:
        raise node.fail('kind = "host" goes with where = "location"')
    if one.kind is Kind.REGEX and (wrong := _regex_error(one.pattern)):
        raise node.table()["pattern"].fail(f"a regular expression that Python reads: {wrong}")
    if one.scope is Scope.COUNTRY and not one.countries:
        raise node.fail('scope = "country" needs countries = ["…"]')
    return one


def _id(node: Node) -> str:
    value = text(node)
    if not _ID.fullmatch(value):
        raise node.fail("lower-case letters, digits, dashes, dots and underscores")
    return value


def _header(node: Node) -> str:
    return filled(node).lower()


def _regex_error(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)
    return ""


# -- CSV -----------------------------------------------------------------------------------------


def parse_csv(content: str, file: str) -> tuple[Fingerprint, ...]:
    """OONI's list, or another with a column for the pattern. Raises ConfigError.

    The error lists every unusable row. A row of an unknown scope counts as a vendor's.
    """
    problems: list[Problem] = []
    found: list[Fingerprint] = []
    try:
        reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        if not set(columns) & set(_PATTERN_COLUMNS):
            remedy = "name one of the columns " + ", ".join(_PATTERN_COLUMNS)
            raise refusal(file, "has no column for the pattern", remedy, line=1)
        for row in reader:
            try:
                found += _row(row, reader.line_num)
            except ValueError as error:
                line, remedy = reader.line_num, "correct the row or take it out"
                problems.append(Problem(file=file, line=line, wrong=str(error), remedy=remedy))
    except csv.Error as error:
        raise refusal(file, f"is not CSV: {error}", "quote cells properly") from error
    if problems:
        raise ConfigError(problems)
    return merged((), found)


def _row(row: Mapping[str | None, Any], line: int) -> list[Fingerprint]:
    """The fingerprint of one row, or none when it is about something else. Raises ValueError."""
    scope = _cell(row, ("scope",))
    where, _, header = (_cell(row, ("location_found",)) or "body").partition(".")
    if scope == _INNOCENT or where == "dns":
        return []
    pattern = _cell(row, _PATTERN_COLUMNS)
    if not pattern:
        raise ValueError("has no pattern")
    default = "regexp" if _cell(row, ("regex",)) else "contains"
    kind = _OONI_KINDS.get(_cell(row, ("pattern_type",)) or default)
    if kind is None:
        raise ValueError("has a pattern_type that is not full, prefix, contains or regexp")
    if kind is Kind.REGEX and (wrong := _regex_error(pattern)):
        raise ValueError(f"has a regular expression that Python does not read: {wrong}")
    is_header = where == "header" and bool(header)
    if where not in ("body", "title") and not is_header:
        raise ValueError("has a location_found that is not body, title, header.… or dns")
    countries = re.split(r"[,;\s]+", _cell(row, _COUNTRY_COLUMNS).upper())
    name = re.sub(r"[^a-z0-9._-]+", "-", _cell(row, _ID_COLUMNS).lower()).strip("-")
    return [
        Fingerprint(
            id=name or f"line-{line}",
            where=Where.HEADER if is_header else Where(where),
            header=header.lower() if is_header else "",
            kind=kind,
            pattern=pattern,
            scope=_OONI_SCOPES.get(scope, Scope.VENDOR),
            countries=tuple(dict.fromkeys(code for code in countries if len(code) == 2)),
            confident=_confidence(row) >= CONFIDENT,
        )
    ]


def _confidence(row: Mapping[str | None, Any]) -> float:
    try:
        return float(_cell(row, ("confidence_no_fp", "confidence")) or 0)
    except ValueError:
        raise ValueError("has a confidence that is not a number") from None


def _cell(row: Mapping[str | None, Any], names: Iterable[str]) -> str:
    """The first of these columns that is not empty."""
    return next((str(row[name]).strip() for name in names if row.get(name)), "")
