"""A cell of a history: what was measured and decided of one place in one stretch of time."""

import msgspec

Place = tuple[str, str, int, str]
"""Country, platform, AS number and network; 0 and empty for all networks of a country."""


class HistoryCell(msgspec.Struct, frozen=True, gc=False):
    """Sums of the hours or days that lie in one of the equal parts of a time."""

    place: Place
    number: int
    """Which of the parts, from 0."""
    networks: int
    """How many networks measured it, in the hour or day with most."""
    sums: tuple[int, ...]
    """Hours with a measurement, over all networks; then verdicts by state, in the order of
    COUNTS."""
