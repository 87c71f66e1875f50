"""By which time a cycle is dated: what servers said of it, and its times corrected."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Any, TypeVar

import msgspec

from monitor.analysis.seen import Seen
from monitor.analysis.vantage.clock import skews

T = TypeVar("T")


class ServersDates(msgspec.Struct, frozen=True, kw_only=True):
    """What the Date headers of one cycle say of its times."""

    skew: float | None
    """Seconds by which the cycle's times are ahead; None when no server gave a date."""
    servers: int
    proven: bool
    """Over verified TLS: nobody on the path can have written them."""


def servers_dates(seen: Seen) -> ServersDates:
    """The dates that servers gave the vantage itself; those in cleartext only without others."""
    own = [one for one in seen.measurements if one.vantage == seen.vantage.id and one.reached]
    proven = skews(own)
    found = proven or skews(own, cleartext=True)
    return ServersDates(
        skew=median(found) if found else None, servers=len(found), proven=bool(proven)
    )


def dated(seen: Seen, by: float) -> Seen:
    """The cycle with its own times moved by so many seconds; those of earlier cycles stay."""
    return _moved(seen, timedelta(seconds=by), seen.started_at) if by else seen


def _moved(value: T, by: timedelta, since: datetime) -> T:
    found: Any = value
    match value:
        case datetime():
            found = value + by if value >= since else value
        case msgspec.Struct():
            before = {name: getattr(value, name) for name in value.__struct_fields__}
            after = {name: _moved(one, by, since) for name, one in before.items()}
            changed = {name: one for name, one in after.items() if one is not before[name]}
            found = msgspec.structs.replace(value, **changed) if changed else value
        case tuple():
            moved = tuple([_moved(one, by, since) for one in value])
            same = all(one is other for one, other in zip(value, moved, strict=True))
            found = value if same else moved
        case Mapping():
            found = {key: _moved(one, by, since) for key, one in value.items()}
    return found  # type: ignore[no-any-return] # of the same type
