"""When a source that is asked on demand was asked about a platform in a country.

The moments are cursors of its state, by a name that says what they are of.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count

TRIED, DONE = "tried", "done"
"""A round that was begun; one that ended with answers, or with nobody to ask."""
_BEING_MADE = timedelta(minutes=2)
"""How long the questions of a round may take."""


def moments(
    cursors: Mapping[str, datetime], what: str, country: str, platform: str
) -> list[datetime]:
    """The moments of these rounds, UTC."""
    begins = _begins(what, country, platform)
    return [at for name, at in cursors.items() if name.startswith(begins)]


def noted(
    cursors: Mapping[str, datetime], what: str, country: str, platform: str, at: datetime
) -> dict[str, datetime]:
    """The cursors with one more round. Older ones may be forgotten, so that the number of those
    left may be taken."""
    begins = _begins(what, country, platform)
    name = next(name for number in count(1) if (name := f"{begins}{number}") not in cursors)
    return {**cursors, name: at}


def forgotten(cursors: Mapping[str, datetime], before: datetime) -> dict[str, datetime]:
    """The cursors without rounds of before that moment."""
    return {name: at for name, at in cursors.items() if at >= before}


def merged(
    read: Mapping[str, datetime], here: Mapping[str, datetime], stored: Mapping[str, datetime]
) -> dict[str, datetime]:
    """What is stored by now, with what was noted and forgotten here since it was read: neither
    process loses a round of the other, also where both gave theirs the same number."""
    both = {name: at for name, at in stored.items() if name in here or name not in read}
    for name, at in here.items():
        if name in read:
            continue
        what, *place = name.split(" ")
        if name in both and what in (TRIED, DONE):
            country, platform, _ = place
            both = noted(both, what, country, platform, at)
        else:
            both[name] = at
    return both


def being_made(cursors: Mapping[str, datetime], country: str, platform: str, now: datetime) -> bool:
    """Whether somebody may be at the questions of a round just now."""
    tried = moments(cursors, TRIED, country, platform)
    done = moments(cursors, DONE, country, platform)
    begun = max(tried, default=None)
    return begun is not None and now - begun < _BEING_MADE and not any(at >= begun for at in done)


def _begins(what: str, country: str, platform: str) -> str:
    return f"{what} {country} {platform} "
