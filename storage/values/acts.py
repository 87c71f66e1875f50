"""What people decide about the monitor itself: the log of it, and what holds for a time."""

from datetime import datetime
from enum import StrEnum

import msgspec


class ActKind(StrEnum):
    """What a person did."""

    CONFIRM = "confirm"
    REJECT = "reject"
    NOTE = "note"
    ANNOTATE = "annotate"
    REMOVE_ANNOTATION = "remove_annotation"
    QUARANTINE = "quarantine"
    RELEASE = "release"
    REPORT = "report"
    MUTE = "mute"
    UNMUTE = "unmute"
    TEST = "test"
    """Of notifications."""
    ACKNOWLEDGE = "acknowledge"


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log: a person did something. It never changes."""

    id: str
    """UUIDv7."""
    at: datetime
    """UTC."""
    who: str
    """The user who was signed in to the page; empty for the command line, where nobody signs in."""
    what: ActKind
    target: str
    """What it was done to, such as `event 3f1c9a7be0d24c55`; never an address."""
    detail: str = ""


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """No messages about an event, or about all events of a country, for a time."""

    country: str
    """Of all its events; empty where `event` is given."""
    event: str
    """Id of the event; empty where `country` is given."""
    until: datetime
    """UTC; messages that waited go out then, as one of the newest state."""
    at: datetime
    """UTC; when a person decided so."""


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """A person knows of a line of the checklist, and leaves it so."""

    finding: str
    """As `monitor.wording.findings.Finding.key` has it."""
    at: datetime
    """UTC."""
