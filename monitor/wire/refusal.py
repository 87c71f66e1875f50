"""Why a request is refused, on its way from wherever that is found out to the answer."""

from monitor.wire.answers import Reason

BUSY_FOR = 5
"""Seconds after which to try again when there was too much to do."""
DOWN_FOR = 15
"""Seconds after which to try again when the database could not take it."""


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """Nothing of the request may be stored."""

    def __init__(
        self, reason: Reason, detail: str, *, retry_after: float = 0.0, closing: bool = False
    ) -> None:
        """`detail` is for the agent's host; it must repeat nothing that could be a secret or an
        address. `retry_after` is in seconds; 0 says nothing. `closing` ends the connection."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.closing = closing


def malformed(detail: str) -> Refused:
    """It is not what it should be."""
    return Refused(Reason.MALFORMED, detail)
