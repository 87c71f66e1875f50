"""What may be asked for: one table of parameters, for reading requests and for describing them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import msgspec

from monitor.server.api.problem import ProblemError
from storage.values.rollup import Period

LARGEST_ASN = 2**32 - 1
LARGEST_PAGE = 1000
PAGE = 100

_COUNTRY = re.compile("[A-Za-z]{2}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_ASN = re.compile(r"(?:AS)?(\d{1,10})", re.IGNORECASE | re.ASCII)
_WHOLE = re.compile(r"\d{1,4}", re.ASCII)
_ZONE_AFTER_SPACE = re.compile(r"(?<=T).* (?=\d{2}:?\d{2}$)")
_LONGEST_CURSOR = 8192


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of the query string."""

    name: str
    meaning: str
    wanted: str
    """What would be right, for whoever gave something else."""
    schema: Mapping[str, Any]
    """Of its value, in JSON Schema."""
    example: str
    read: Callable[[str], Any]
    """Raises ValueError for what is not `wanted`."""


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return read


def _country(text: str) -> str:
    return _matching(_COUNTRY)(text).upper()


def _asn(text: str) -> int:
    found = _ASN.fullmatch(text)
    if found is None or int(found[1]) > LARGEST_ASN:
        raise ValueError(text)
    return int(found[1])


def _moment(text: str) -> datetime:
    """A date or a moment. A plus sign that was not escaped arrives as a space."""
    if len(text) > 64 or not text.isascii() or not text[:4].isdigit() or text[4:5] != "-":
        raise ValueError(text)
    if _ZONE_AFTER_SPACE.search(text):
        date, _, zone = text.rpartition(" ")
        text = f"{date}+{zone}"
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def _limit(text: str) -> int:
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= LARGEST_PAGE:
        raise ValueError(text)
    return int(text)


def _cursor(text: str) -> str:
    if not text or len(text) > _LONGEST_CURSOR:
        raise ValueError(text[:20])
    return text


def one_of(words: Sequence[str]) -> Callable[[str], str]:
    """Reads one of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return read


_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}

COUNTRY = Parameter(
    name="country",
    meaning="Of the vantage; of events, where they are.",
    wanted="two letters of ISO 3166-1, such as PK",
    schema={**_TEXT, "pattern": "^[A-Za-z]{2}$"},
    example="PK",
    read=_country,
)
PLATFORM = Parameter(
    name="platform",
    meaning="Name in the catalogue.",
    wanted="a platform's name, such as x",
    schema={**_TEXT, "pattern": f"^{_NAME.pattern}$"},
    example="x",
    read=_matching(_NAME),
)
ASN = Parameter(
    name="asn",
    meaning="AS number of the network; of events, one of those that blocked.",
    wanted="an AS number, such as 17557 or AS17557",
    schema={**_TEXT, "pattern": r"^([Aa][Ss])?\d{1,10}$"},
    example="17557",
    read=_asn,
)
VANTAGE = Parameter(
    name="vantage",
    meaning="Id of the vantage point; for operators alone.",
    wanted="the id of a vantage, such as khi-ptcl",
    schema={**_TEXT, "pattern": f"^{_NAME.pattern}$"},
    example="khi-ptcl",
    read=_matching(_NAME),
)
SINCE = Parameter(
    name="since",
    meaning="First moment wanted; of events, none that was over before; of availability, none that "
    "began before.",
    wanted="a date or a moment of UTC, such as 2024-02-17 or 2024-02-17T18:00Z",
    schema=_TIME,
    example="2024-02-17T00:00:00Z",
    read=_moment,
)
UNTIL = Parameter(
    name="until",
    meaning="First moment no longer wanted; of events, none that began then or later.",
    wanted=SINCE.wanted,
    schema=_TIME,
    example="2024-02-18T00:00:00Z",
    read=_moment,
)
EVENT = Parameter(
    name="event",
    meaning="Id of an event; of all but events, what is of its country and platform, from the last "
    "moment known to be open before it to its end.",
    wanted="the id of an event",
    schema={**_TEXT, "pattern": f"^{_NAME.pattern}$"},
    example="5f2b7c9d1e3a4b6c",
    read=_matching(_NAME),
)
PERIOD = Parameter(
    name="period",
    meaning="Rows by the hour, unless told, or by the day, of UTC.",
    wanted=f"one of {', '.join(Period)}",
    schema={**_TEXT, "enum": list(Period), "default": Period.HOUR},
    example="day",
    read=Period,
)
BY = Parameter(
    name="by",
    meaning="A row for each network, unless told, or one for all of a country together.",
    wanted="one of network, country",
    schema={**_TEXT, "enum": ["network", "country"], "default": "network"},
    example="country",
    read=one_of(["network", "country"]),
)
LIMIT = Parameter(
    name="limit",
    meaning=f"How many rows a page has at most, {PAGE} unless told.",
    wanted=f"a number from 1 to {LARGEST_PAGE}",
    schema={"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE},
    example="500",
    read=_limit,
)
CURSOR = Parameter(
    name="cursor",
    meaning="Where to go on: what `next` of the page before holds. Not to be made or read.",
    wanted="what `next` of the page before holds",
    schema={**_TEXT, "maxLength": _LONGEST_CURSOR},
    example="WyJldmVudHMi…",
    read=_cursor,
)
PAGING = (LIMIT, CURSOR)
"""Of pages alone: a CSV file is whole."""


def state(words: Iterable[str]) -> Parameter:
    """`state`, one of these."""
    listed = list(words)
    return Parameter(
        name="state",
        meaning="State it is in.",
        wanted=f"one of {', '.join(listed)}",
        schema={**_TEXT, "enum": listed},
        example=listed[0],
        read=one_of(listed),
    )


def read_query(given: Sequence[tuple[str, str]], parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Name → value of what was given. Raises ProblemError, which names the parameter at fault."""
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for name, text in given:
        if name not in known:
            raise _unknown(name, known)
        if name in values:
            raise ProblemError(400, f"{name} is given twice: ask twice instead", name)
        try:
            values[name] = known[name].read(text)
        except ValueError as error:
            raise ProblemError(400, f"{name} must be {known[name].wanted}", name) from error
    return values


def _unknown(name: str, known: Mapping[str, Parameter]) -> ProblemError:
    close = get_close_matches(name[:100], known, 1)
    hint = f"did you mean {close[0]}?" if close else f"it takes {', '.join(known) or 'none'}"
    shown = name if re.fullmatch("[a-z_]{1,40}", name) else "?"
    return ProblemError(400, f"there is no parameter of that name here: {hint}", shown)
