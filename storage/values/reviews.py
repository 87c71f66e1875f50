"""What people add: their judgement of events, and what happened around them.

It is kept beside what was detected and never alters it: whoever reads an event sees both, apart.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec


class Mark(StrEnum):
    """What a person says of an event."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    NOTE = "note"
    """Neither: a remark only."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One person's mark on one event. Never changed: whoever thinks better of it adds another."""

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
    """Whoever gives it, as they want to be named; empty for nobody."""


class AnnotationKind(StrEnum):
    """What an annotation tells of."""

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
    """Something that happened in a country, told by a source that can be named."""

    id: str
    """As `annotation_id` makes it, so that the same annotation is there once."""
    country: str
    since: datetime
    """UTC, inclusive."""
    until: datetime | None = None
    """UTC, exclusive; None for a moment."""
    platform: str = ""
    """Empty when it is about no platform in particular."""
    kind: AnnotationKind
    text: str
    source: str
    """URL of where it can be read."""
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
    """The id of what all this says: 16 hexadecimal digits, the same for the same."""
    when = [moment.isoformat() if moment else "" for moment in (since, until)]
    told = msgspec.json.encode([country, *when, platform, kind, text, source])
    return hashlib.sha256(told).hexdigest()[:16]


def standing(reviews: Sequence[Review]) -> Review | None:
    """The review that holds: of one event's, oldest first, the last that confirms or rejects."""
    decided = [review for review in reviews if review.mark is not Mark.NOTE]
    return decided[-1] if decided else None


def no_such_event(review: Review) -> str:
    """Why a store refuses a review."""
    return f"there is no event {review.event} of country {review.country or '(none)'} to review"
