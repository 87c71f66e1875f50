"""Which stored cells each column is made of: most are one, as it is.

`monitor.export.columns` says the same of values that are at hand; a test holds the two to each
other, byte for byte.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from monitor.export.cells import Value
from monitor.export.columns import AVAILABILITY_COLUMNS, LLR, MILLISECONDS
from probes.measurement import Layer
from storage.export.cells import APART, Cell, Entry, Listed, Rounded, Words, rounded
from storage.values.rollup import COUNTS, KEY, Availability, Period


class Made(msgspec.Struct, frozen=True):
    """What is made of the text of several stored cells."""

    of: tuple[Cell, ...]
    value: Callable[[str], Value]


_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_failures = msgspec.json.Decoder(dict[str, str]).decode


def shown(cell: Words | Entry | Rounded, raw: str) -> Value:
    """What is made of a cell that came as it is stored. ValueError for what makes no sense."""
    match cell:
        case Words():
            return " ".join(_texts(raw))
        case Entry():
            return _failures(raw).get(cell.key)
        case Rounded():
            return rounded(float(raw), cell.times, cell.over)


_COUNTS = (*COUNTS, "hours", "networks")
_SOME_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def _figure(value: Callable[[Availability], Value]) -> Made:
    """What follows from the counts."""

    def of(text: str) -> Value:
        period, *counts = text.split(APART)
        return value(_counted(Period(period), list(map(int, counts))))

    return Made(("period", *_COUNTS), of)


Stored = Cell | Made
"""Where the cells of a column come from; a name is a stored column, as it is."""

STORED: Mapping[Listed, Mapping[str, Stored]] = {
    Listed.MEASUREMENTS: {
        "measurement_id": "id",
        "cycle_id": "cycle",
        "duration_ms": Rounded("duration", *MILLISECONDS),
        "not_observed": Words("not_observed"),
    },
    Listed.VERDICTS: {
        "measurement_id": "measurement",
        "control_ids": Words("controls"),
        "cycle_id": "cycle",
        "llr": Rounded("llr", *LLR),
        **{f"{layer}_failure": Entry("failures", layer) for layer in Layer},
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
