"""When a source that is asked on demand was asked about a platform in a country.

The moments are cursors of its state, by a name that says what they are of.
"""

from collections.abc import Mapping
from datetime import datetime

TRIED, DONE = "tried", "done"
"""A round that was begun; one that ended with answers, or with nobody to ask."""


def moments(
    cursors: Mapping[str, datetime], what: str, country: str, platform: str
) -> list[datetime]:
    """The moments of these rounds, UTC."""
    begins = _begins(what, country, platform)
    return [at for name, at in cursors.items() if name.startswith(begins)]


def noted(
    cursors: Mapping[str, datetime], what: str, country: str, platform: str, at: datetime
) -> dict[str, datetime]:
    """The cursors with one more round."""
    number = len(moments(cursors, what, country, platform)) + 1
    return {**cursors, f"{_begins(what, country, platform)}{number}": at}


def forgotten(cursors: Mapping[str, datetime], before: datetime) -> dict[str, datetime]:
    """The cursors without rounds of before that moment."""
    return {name: at for name, at in cursors.items() if at >= before}


def _begins(what: str, country: str, platform: str) -> str:
    return f"{what} {country} {platform} "
