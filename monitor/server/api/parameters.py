"""The parameters of query strings: one table that reads and documents them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from monitor.config.toml_node import close_to
from monitor.server.api.problem import ProblemError
from storage.values.rollup import UTC, Period

LARGEST_PAGE = 1000
"""Rows."""
PAGE = 100
"""Rows of a page without `limit`."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_WHOLE = re.compile(r"\d{1,4}", re.ASCII)
_ZONE_AFTER_SPACE = re.compile(r"(?<=T).* (?=\d{2}:?\d{2}$)")
_LONGEST_CURSOR = 8192
_LONGEST_TEXT = 200


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of the query string."""

    name: str
    meaning: str
    wanted: str
    """What is accepted, for error messages."""
    schema: Mapping[str, Any]
    """JSON Schema of the value."""
    example: str
    read: Callable[[str], Any]
    """Raises ValueError for anything else."""


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return read


def _text(text: str) -> str:
    """A filter, which `monitor.config.filters` checks."""
    if not 0 < len(text) <= _LONGEST_TEXT:
        raise ValueError(text[:20])
    return text


def _moment(text: str) -> str:
    """A time. A plus sign that was not escaped arrives as a space."""
    if _ZONE_AFTER_SPACE.search(_text(text)):
        date, _, zone = text.rpartition(" ")
        return f"{date}+{zone}"
    return text


def _limit(text: str) -> int:
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= LARGEST_PAGE:
        raise ValueError(text)
    return int(text)


def _cursor(text: str) -> str:
    if not text or len(text) > _LONGEST_CURSOR:
        raise ValueError(text[:20])
    return text


_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}


def _name(
    name: str,
    meaning: str,
    wanted: str,
    example: str,
    read: Callable[[str], str] = _text,
) -> Parameter:
    return Parameter(
        name=name,
        meaning=meaning,
        wanted=wanted,
        schema={**_TEXT, "pattern": f"^{_NAME.pattern}$"},
        example=example,
        read=read,
    )


def _choice(
    name: str,
    meaning: str,
    words: Sequence[str],
    example: str,
    *,
    kind: Callable[[str], Any] = str,
    **schema: str,
) -> Parameter:
    def read(text: str) -> Any:
        if text not in words:
            raise ValueError(text)
        return kind(text)

    return Parameter(
        name=name,
        meaning=meaning,
        wanted=f"one of {', '.join(words)}",
        schema={**_TEXT, "enum": list(words), **schema},
        example=example,
        read=read,
    )


COUNTRY = Parameter(
    name="country",
    meaning="Country of the vantage point; for events, country of the event.",
    wanted="two letters of ISO 3166-1, such as PK",
    schema={**_TEXT, "pattern": "^[A-Za-z]{2}$"},
    example="PK",
    read=_text,
)
PLATFORM = _name("platform", "Name in the catalogue.", "the name of a platform, such as x", "x")
ASN = Parameter(
    name="asn",
    meaning="AS number of the network; for events, of a network that blocked.",
    wanted="an AS number, such as 17557 or AS17557",
    schema={**_TEXT, "pattern": r"^([Aa][Ss])?\d{1,10}$"},
    example="17557",
    read=_text,
)
VANTAGE = _name(
    "vantage",
    "Id of the vantage point; for operators only.",
    "the id of a vantage point, such as khi-ptcl",
    "khi-ptcl",
)
SINCE = Parameter(
    name="since",
    meaning="Start of the time range, inclusive. Events that ended before it are not selected. Of "
    "a period of availability that began before it the rest is counted.",
    wanted="a date or time in UTC, such as 2024-02-17 or 2024-02-17T18:00Z",
    schema=_TIME,
    example="2024-02-17T00:00:00Z",
    read=_moment,
)
UNTIL = Parameter(
    name="until",
    meaning="End of the time range, exclusive. Events that began at or after it are not selected. "
    "Of a period of availability that ends after it the part before it is counted.",
    wanted=SINCE.wanted,
    schema=_TIME,
    example="2024-02-18T00:00:00Z",
    read=_moment,
)
EVENT = _name(
    "event",
    "Id of an event. It selects what is of its country and platform: measurements from its "
    "earliest onset to its end, and verdicts up to its last change, which they caused.",
    "the id of an event",
    "5f2b7c9d1e3a4b6c",
    _matching(_NAME),
)
PERIOD = _choice(
    "period",
    "Length of the time that one row covers: an hour, a day or a month of `timezone`.",
    tuple(Period),
    "day",
    kind=Period,
    default=Period.HOUR,
)
BY = _choice(
    "by",
    "Whether each row covers one network or the whole country.",
    ("network", "country"),
    "country",
    default="network",
)
TIMEZONE = Parameter(
    name="timezone",
    meaning="Time zone of the IANA database whose hours, days and months are counted; UTC by "
    "default. `since` and `until` without an offset are of this zone.",
    wanted="the name of a time zone, such as Asia/Karachi or UTC",
    schema={**_TEXT, "maxLength": _LONGEST_TEXT, "default": UTC},
    example="Asia/Karachi",
    read=_text,
)
LIMIT = Parameter(
    name="limit",
    meaning=f"Largest number of rows on a page; {PAGE} by default.",
    wanted=f"a number from 1 to {LARGEST_PAGE}",
    schema={"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE},
    example="500",
    read=_limit,
)
CURSOR = Parameter(
    name="cursor",
    meaning="Where the page starts: the opaque value in `next` of the previous page.",
    wanted="the value in `next` of the previous page",
    schema={**_TEXT, "maxLength": _LONGEST_CURSOR},
    example="WyJldmVudHMi…",
    read=_cursor,
)
PAGING = (LIMIT, CURSOR)
"""Parameters of pages only, since a CSV file is complete."""


def state(states: Iterable[str]) -> Parameter:
    """The parameter `state` with these values."""
    listed = list(states)
    return _choice("state", "Current state.", listed, listed[0])


def read_query(given: Sequence[tuple[str, str]], parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Name → value. Raises ProblemError with the name of the wrong parameter."""
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for name, text in given:
        if name not in known:
            raise _unknown(name, known)
        if name in values:
            raise ProblemError(400, f"{name} is given twice: send two requests instead", name)
        try:
            values[name] = known[name].read(text)
        except ValueError as error:
            meant = close_to(text[:_LONGEST_TEXT], known[name].schema.get("enum", ()))
            raise ProblemError(
                400, f"{name} must be {known[name].wanted}", name, suggestion=meant
            ) from error
    return values


def _unknown(name: str, known: Mapping[str, Parameter]) -> ProblemError:
    close = get_close_matches(name[:100], known, 1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    shown = name if re.fullmatch("[a-z_]{1,40}", name) else "?"
    return ProblemError(400, f"unknown parameter: {hint}", shown)
