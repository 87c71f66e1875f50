"""What platforms themselves withhold in a country: no block, and no part of a verdict or event."""

from datetime import datetime

import msgspec


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """A post, account or video that its platform does not show in a country, and shows elsewhere.
    Times are whole hours: no look of a vantage can be told from them."""

    country: str
    platform: str
    kind: str
    """`post`, `account` or `video`."""
    url: str
    """As people open it."""
    since: datetime
    """UTC; the hour in which it was first seen to be withheld."""
    seen_at: datetime
    """UTC; the hour in which that was seen last."""
    over_at: datetime | None = None
    """UTC; the hour in which it was first offered there again; None: not as far as is known."""
    rounds: int = 1
    """Looks in which it was seen."""
    controls: tuple[str, ...] = ()
    """Countries in which it was offered at the same time."""
    named: bool = False
    """Whether the platform tells everybody that it withholds it in this country."""
