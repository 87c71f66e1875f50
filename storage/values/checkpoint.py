"""What a detector saves in order to continue after a restart."""

from datetime import datetime

import msgspec


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one detector at some moment.

    It is no history: it can be computed again from what is stored.
    """

    country: str
    """Empty for what has no country."""
    platform: str
    """Empty for the vantages themselves."""
    kind: str
    """Which detector wrote `state`, in which format. A reader ignores any other."""
    until: datetime | None
    """When the last input was judged (UTC); None when there was no input yet."""
    until_key: str
    """Tells that input from others of the same moment."""
    state: str
    """JSON."""
