"""Which of many stored cells cannot be shown as they are: something in them needs a quote, an
apostrophe or an escape. Few do, so rows are looked at hundreds at a time, by what kinds of
characters stand in them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from storage.export.cells import APART, BETWEEN_ROWS

_PLAIN, _BOUNDARY, _LEAD, _OTHER = b"a|!?"
_ASCII = 128


def _kind(code: int) -> int:
    char = chr(code)
    if char in (APART, *BETWEEN_ROWS):
        return _BOUNDARY
    if char in "=+-@ '`":
        return _LEAD
    return _PLAIN if code < _ASCII and char.isprintable() and char not in '",;' else _OTHER


_KINDS = bytes(map(_kind, range(256)))
_ODD = bytes([_OTHER])


class AmbiguousError(Exception):
    """A cell holds what stands between cells or rows."""


class Odd(NamedTuple):
    """One such cell."""

    number: int
    """Of the cell in its row, from 0."""
    begin: int
    end: int
    """Where it is."""


def odd_cells(raw: bytes, rows: int, numbers: Sequence[bool]) -> Sequence[Odd]:
    """The cells in `raw`, from first to last, that are not ASCII that can be seen, want quotes, or
    are led by a sign that could begin a formula and are no number.

    `rows` is how many there are, `numbers` which of their cells are numbers of ours.
    AmbiguousError when more stands between all cells than these need.
    """
    marks = raw.translate(_KINDS)
    kinds = np.frombuffer(marks, np.uint8)
    boundaries = kinds == _BOUNDARY
    in_row = len(numbers) - 1 + len(BETWEEN_ROWS)
    if np.count_nonzero(boundaries) != rows * in_row - len(BETWEEN_ROWS):
        raise AmbiguousError
    leads = kinds == _LEAD
    leads[1:] &= boundaries[:-1]
    if _ODD not in marks and not leads.any():
        return ()
    ends = np.concatenate((np.flatnonzero(boundaries), [len(raw)]))
    # An empty cell stands between the two signs at the end of a row, and is never found.
    leading = np.searchsorted(ends, np.flatnonzero(leads))
    leading = leading[~np.array([*numbers, False])[leading % in_row]]
    other = np.searchsorted(ends, np.flatnonzero(kinds == _OTHER))
    found = np.unique(np.concatenate((leading, other)))
    begins = np.concatenate(([0], ends + 1))[found]
    return list(map(Odd, (found % in_row).tolist(), begins.tolist(), ends[found].tolist()))
