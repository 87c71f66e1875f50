"""How much a control that serves others carries for them."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the exit carries."""

    connections: int = 64
    """At once, of those that have logged in."""
    daily_bytes: int = 5_000_000_000
    """Both ways, in any 24 hours from its start on."""
