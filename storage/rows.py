"""The row of one measurement, whoever writes it."""

from typing import Any

from probes.measurement import Measurement
from storage import codecs
from storage.summary import Summary, summary_cells

MEASUREMENT = (*codecs.MEASUREMENT.names, "received_at", *Summary.__struct_fields__)
"""Names of its cells, in their order."""


def measurement_row(measurement: Measurement, received: str) -> tuple[Any, ...]:
    """Its cells; `received` as `time_text` gives it."""
    return (*codecs.MEASUREMENT.encode(measurement), received, *summary_cells(measurement))
