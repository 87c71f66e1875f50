"""The row of one measurement."""

from operator import itemgetter
from typing import Any

from probes.measurement import Measurement
from storage.sql import schema
from storage.values import codecs
from storage.values.summary_columns import Summary, summary_cells

MEASUREMENT = tuple(column.name for column in schema.measurement.columns)
"""Names of its cells, in their order, which is the table's."""
_MADE = (*codecs.MEASUREMENT.names, "received_at", *Summary.__struct_fields__)
_in_order = itemgetter(*map(_MADE.index, MEASUREMENT))


def measurement_row(measurement: Measurement, received: str) -> tuple[Any, ...]:
    """Its cells; `received` as `time_text` gives it."""
    cells = codecs.MEASUREMENT.encode(measurement)
    cells.append(received)
    cells += summary_cells(measurement)
    row: tuple[Any, ...] = _in_order(cells)
    return row
