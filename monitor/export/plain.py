"""Which of many stored rows can be shown as they are: nothing in them needs a quote, an apostrophe
or an escape. That goes for nearly all, so they are looked at hundreds at a time, by what kinds of
characters stand in them."""

from collections.abc import Sequence

import numpy as np

from storage.cells import APART, BETWEEN_ROWS

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


def odd_rows(raw: bytes, rows: int, numbers: Sequence[bool]) -> Sequence[slice]:
    """Where in `raw` the rows are, without what stands between them, that cannot be shown as they
    are: a cell of theirs is not ASCII that can be seen, wants quotes, or is led by a sign that
    could begin a formula and is none of a number.

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
    odd = np.flatnonzero(leads)
    if odd.size and any(numbers):
        cells = np.searchsorted(np.flatnonzero(boundaries), odd) % in_row
        odd = odd[~np.array(numbers)[cells]]
    if _ODD in marks:
        odd = np.concatenate((odd, np.flatnonzero(kinds == _OTHER)))
    if not odd.size:
        return ()
    ends = np.flatnonzero(np.frombuffer(raw, np.uint8) == ord(BETWEEN_ROWS[-1]))
    found = np.unique(np.searchsorted(ends, odd))
    begins = np.concatenate(([0], ends + 1))[found]
    behind = np.concatenate((ends + 1 - len(BETWEEN_ROWS), [len(raw)]))[found]
    return list(map(slice, begins.tolist(), behind.tolist()))
