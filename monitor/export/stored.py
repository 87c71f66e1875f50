"""Which stored cells each column is made of: most are one, as it is.

`monitor.export.columns` says the same of values that are at hand; a test holds the two to each
other, byte for byte.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.export.cells import Value
from monitor.export.columns import AVAILABILITY_COLUMNS
from probes.measurement import Layer
from storage.cells import APART, Group, Listed
from storage.rollup import COUNTS, KEY, Availability, Period


class Made(msgspec.Struct, frozen=True):
    """What is not shown as it is stored."""

    of: Group
    """What it is made of: one stored cell, or the text of several."""
    value: Callable[[Any], Value]


class Fraction(msgspec.Struct, frozen=True):
    """A number of floating point: each database would write it, and round it, in its own way."""

    of: str
    digits: int
    """To round to."""
    factor: int = 1


_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_failures = msgspec.json.Decoder(dict[str, str]).decode


def _list(name: str) -> Made:
    return Made(name, lambda cell: " ".join(_texts(cell)))


def _failure(layer: Layer) -> Made:
    return Made("failures", lambda cell: _failures(cell).get(layer))


_COUNTS = (*COUNTS, "hours", "networks")
_SOME_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def _figure(value: Callable[[Availability], Value]) -> Made:
    """What follows from the counts."""

    def of(text: str) -> Value:
        period, *counts = text.split(APART)
        return value(_counted(Period(period), list(map(int, counts))))

    return Made(("period", *_COUNTS), of)


Stored = str | Made | Fraction
"""Where the cells of a column come from; a name is a stored column, as it is."""

STORED: Mapping[Listed, Mapping[str, Stored]] = {
    Listed.MEASUREMENTS: {
        "measurement_id": "id",
        "cycle_id": "cycle",
        "duration_ms": Fraction("duration", 3, 1000),
        "not_observed": _list("not_observed"),
    },
    Listed.VERDICTS: {
        "measurement_id": "measurement",
        "control_ids": _list("controls"),
        "cycle_id": "cycle",
        "llr": Fraction("llr", 6),
        **{f"{layer}_failure": _failure(layer) for layer in Layer},
    },
    Listed.AVAILABILITY: {
        # All counts together: not many combinations of them ever occur.
        column.name: _figure(column.value)
        for column in AVAILABILITY_COLUMNS
        if column.name not in (*KEY, "period")
    },
}
"""Column → where it comes from, where that is not the stored column of the same name."""


def _counted(period: Period, counts: list[int]) -> Availability:
    """Of nowhere and no time, which no figure depends on."""
    return Availability(
        country="",
        platform="",
        starts_at=_SOME_TIME,
        asn=None,
        network="",
        **dict(zip(_COUNTS, counts, strict=True)),
        period=period,
    )
