"""Reviews: a person confirms or rejects an event, or notes something."""

from datetime import datetime

import uuid_utils

from monitor.acting.acts import ActError, act_of, within
from monitor.analysis.events.event import Event
from storage.store import Store
from storage.values.acts import ActKind
from storage.values.reviews import Mark, Review

NOTE_LIMIT, NAME_LIMIT = 4000, 200
"""Characters."""

_KINDS = {Mark.CONFIRMED: ActKind.CONFIRM, Mark.REJECTED: ActKind.REJECT, Mark.NOTE: ActKind.NOTE}


async def review(
    store: Store, event: Event, mark: Mark, *, note: str, by: str, who: str, now: datetime
) -> Review:
    """Add a review to an event, as of now (UTC). `by` is the name to publish, `who` the one for the
    audit log. Raises ActError and StorageError."""
    if mark is Mark.NOTE and not note.strip():
        raise ActError("note: say what you found")
    made = Review(
        id=str(uuid_utils.uuid7()),
        country=event.country,
        event=event.id,
        at=now,
        mark=mark,
        note=within("note", note.strip(), NOTE_LIMIT),
        reviewer=within("by", by.strip(), NAME_LIMIT),
    )
    await store.add_review(made, act_of(who, now, _KINDS[mark], f"event {event.id}"))
    return made
