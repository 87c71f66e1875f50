"""What people add: reviews of events, and annotations, which are dated facts about the world.

They never alter what was detected: a reader of an event sees both, separately.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec


class Mark(StrEnum):
    """A person's judgement of an event."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    NOTE = "note"
    """A remark only."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One person's mark on one event. It never changes: to correct it, a person adds another."""

    id: str
    """UUIDv7."""
    country: str
    """Of the event; empty for what has no country."""
    event: str
    """Id of the event."""
    at: datetime
    """UTC; when it was given."""
    mark: Mark
    note: str = ""
    reviewer: str = ""
    """The reviewer, as they want to be named; may be empty."""


class AnnotationKind(StrEnum):
    """What an annotation is about."""

    ELECTION = "election"
    PROTEST = "protest"
    EXAM = "exam"
    """School or university exams, for which some countries block."""
    UNREST = "unrest"
    COURT_ORDER = "court_order"
    OFFICIAL_ORDER = "official_order"
    """Of a government or regulator, published or leaked."""
    OFFICIAL_DENIAL = "official_denial"
    OFFICIAL_STATEMENT = "official_statement"
    """Neither an order nor a denial."""
    REPORT = "report"
    """By a newspaper, a network operator or another observer."""
    OTHER = "other"


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened in a country, with a source that can be named."""

    id: str
    """As `annotation_id` makes it, so that the same annotation is stored once."""
    country: str
    since: datetime
    """UTC, inclusive."""
    until: datetime | None = None
    """UTC, exclusive; None for a moment."""
    platform: str = ""
    """Empty when it is about no particular platform."""
    kind: AnnotationKind
    text: str
    source: str
    """URL where it can be read."""
    added_at: datetime
    """UTC; when it came into this database."""


def annotation_id(
    country: str,
    since: datetime,
    until: datetime | None,
    platform: str,
    kind: AnnotationKind,
    text: str,
    source: str,
) -> str:
    """16 hexadecimal digits, the same for the same content."""
    when = [moment.isoformat() if moment else "" for moment in (since, until)]
    content = msgspec.json.encode([country, *when, platform, kind, text, source])
    return hashlib.sha256(content).hexdigest()[:16]


def deciding_review(reviews: Sequence[Review]) -> Review | None:
    """The valid one of an event's reviews, oldest first: the last that confirms or rejects it."""
    decided = [review for review in reviews if review.mark is not Mark.NOTE]
    return decided[-1] if decided else None


def rejected(reviews: Sequence[Review]) -> bool:
    """Whether a person rejects it, by the valid one of its reviews."""
    last = deciding_review(reviews)
    return last is not None and last.mark is Mark.REJECTED
