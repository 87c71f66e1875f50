"""The result of one question in an application's own protocol."""

import msgspec


class AppAnswer(msgspec.Struct, frozen=True, kw_only=True):
    failure: str | None
    """None: a server that speaks the protocol answered."""
    first_reply: float
    """Seconds from the first question to the first byte of an answer; 0 when none came."""
