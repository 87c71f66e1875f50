"""Which stored cells each column of a file is made of.

`monitor.export.columns` makes the same cells of values. A test compares the two byte for byte.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.export.cells import Value
from monitor.export.columns import AVAILABILITY_COLUMNS, llr, milliseconds, resolvers
from probes.measurement import Layer
from storage.values.rollup import (
    COUNTS,
    DEFINITION,
    Availability,
    Period,
    local_text,
    partial_words,
)
from storage.values.row_kind import RowKind
from storage.values.times import text_time


class Stored(msgspec.Struct, frozen=True):
    """Where the cells of one column come from."""

    of: tuple[str, ...]
    """Names of stored columns."""
    value: Callable[..., Value] | None = None
    """Makes the value of their cells; None: the one stored cell is the value."""


_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_failures = msgspec.json.Decoder(dict[str, str]).decode
_COUNTS = (*COUNTS, "hours", "networks", "clock_hours")
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def _list(name: str) -> Stored:
    return Stored((name,), lambda stored: " ".join(_texts(stored)))


def _failure(layer: Layer) -> Stored:
    return Stored(("failures",), lambda stored: _failures(stored).get(layer))


def _share(name: str) -> Stored:
    """A figure that depends on the counts and the period alone."""
    (value,) = (column.value for column in AVAILABILITY_COLUMNS if column.name == name)

    def of(period: str, *counts: int) -> Value:
        named: dict[str, Any] = dict(zip(_COUNTS, counts, strict=True))
        return value(
            Availability(
                country="",
                platform="",
                asn=None,
                network="",
                starts_at=_ANY_TIME,
                period=Period(period),
                **named,
            )
        )

    return Stored(("period", *_COUNTS), of)


def _local_start(starts_at: str, timezone: str) -> str:
    return local_text(text_time(starts_at), timezone)


def _partial(counted_from: str | None, counted_until: str | None, deleted: int) -> str:
    return " ".join(partial_words(selected=counted_from or counted_until, deleted=deleted))


STORED: Mapping[RowKind, Mapping[str, Stored]] = {
    RowKind.MEASUREMENTS: {
        "measurement_id": Stored(("id",)),
        "cycle_id": Stored(("cycle",)),
        "reached": Stored(("reached",), bool),
        "duration_ms": Stored(("duration",), milliseconds),
        "not_observed": _list("not_observed"),
        "resolvers": Stored(("resolvers",), resolvers),
    },
    RowKind.VERDICTS: {
        "measurement_id": Stored(("measurement",)),
        "control_ids": _list("controls"),
        "cycle_id": Stored(("cycle",)),
        "llr": Stored(("llr",), llr),
        **{f"{layer}_failure": _failure(layer) for layer in Layer},
    },
    RowKind.AVAILABILITY: {
        **{name: _share(name) for name in ("availability", "coverage", "judged", "reachable")},
        "hours_seen": Stored(("hours",)),
        "networks_count": Stored(("networks",)),
        "definition": Stored((), lambda: DEFINITION),
        "local_start": Stored(("starts_at", "timezone"), _local_start),
        "partial": Stored(("counted_from", "counted_until", "deleted"), _partial),
    },
}
"""By column; a column that is not here shows the stored column of its own name."""
