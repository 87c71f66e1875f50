"""A message as the value that a service gets.

It is apart from `message`, which needs Babel: agents load the configuration, and that needs only
this.
"""

from enum import StrEnum

import msgspec

LONGEST_BODY = 3000
"""Characters of a message of several notices: Telegram, for one, takes no more than 4096."""
LONGEST_TITLE = 200
LONG_MESSAGE = 1500
"""Characters of a long message about one event: a block on a dozen networks by four methods."""


class Urgency(StrEnum):
    """How a service shows a message, in Apprise's words, least urgent first."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a service takes in one message, in characters."""

    body: int = LONGEST_BODY
    title: int = LONGEST_TITLE
    """0: it has no title of its own, or counts it as a part of the body."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Plain text with a title."""

    title: str
    body: str
    urgency: Urgency
