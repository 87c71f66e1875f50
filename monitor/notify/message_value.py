"""A message as the value that a service gets.

It is apart from `message`, which needs Babel: agents load the configuration, and that needs only
this.
"""

from enum import StrEnum

import msgspec


class Urgency(StrEnum):
    """How a service shows a message, in Apprise's words, least urgent first."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Plain text with a title."""

    title: str
    body: str
    urgency: Urgency
