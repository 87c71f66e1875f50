"""The exception that refuses a request; the collector answers with its reason."""

from monitor.wire.answers import Reason

BUSY_FOR = 5
"""Seconds after which an agent tries again when the collector was overloaded."""
DOWN_FOR = 15
"""Seconds after which an agent tries again when the database could not store it."""


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The request is refused, and nothing of it may be stored."""

    def __init__(
        self, reason: Reason, detail: str, *, retry_after: float = 0.0, closing: bool = False
    ) -> None:
        """`detail` is for the agent's host and may hold neither a secret nor an address.

        `retry_after` is in seconds, 0 for none. `closing` closes the connection after the answer.
        """
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.closing = closing


def malformed(detail: str) -> Refused:
    """A refusal of a request that is not in the right form."""
    return Refused(Reason.MALFORMED, detail)
