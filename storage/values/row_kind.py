"""The tables whose rows a store gives as they are stored, without making values of them."""

from enum import StrEnum


class RowKind(StrEnum):
    """Rows that pile up, so that a file of them is made of stored cells."""

    MEASUREMENTS = "measurements"
    VERDICTS = "verdicts"
    AVAILABILITY = "availability"
