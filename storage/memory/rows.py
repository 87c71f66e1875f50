"""The cells that a database would store of a value."""

from collections.abc import Mapping
from typing import Any

from monitor.analysis.verdict import Verdict
from probes.measurement import Measurement
from storage.values import codecs
from storage.values.codec import Codec
from storage.values.measurement_summary import Summary, summarise
from storage.values.rollup import Availability
from storage.values.times import time_text

_CODECS: Mapping[type[Any], Codec[Any]] = {
    Measurement: codecs.MEASUREMENT,
    Verdict: codecs.VERDICT,
}


def stored_cells(value: Measurement | Verdict | Availability) -> dict[str, Any]:
    """By the names of the columns."""
    if isinstance(value, Availability):
        cells = {name: getattr(value, name) for name in value.__struct_fields__}
        return {**cells, "starts_at": time_text(value.starts_at)}
    codec = _CODECS[type(value)]
    cells = dict(zip(codec.names, codec.encode(value), strict=True))
    if isinstance(value, Measurement):
        summary = summarise(value)
        cells |= {name: getattr(summary, name) for name in Summary.__struct_fields__}
    return cells
